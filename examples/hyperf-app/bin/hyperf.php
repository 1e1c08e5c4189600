#!/usr/bin/env php
<?php

declare(strict_types=1);

use Hyperf\Contract\ApplicationInterface;
use Hyperf\Di\ClassLoader;
use Hyperf\Engine\DefaultOption;
use Psr\Container\ContainerInterface;
use Symfony\Component\Console\Application;

ini_set('display_errors', 'on');
ini_set('display_startup_errors', 'on');
ini_set('memory_limit', '1G');
error_reporting(E_ALL);

define('BASE_PATH', dirname(__DIR__));

require BASE_PATH . '/vendor/autoload.php';

define('SWOOLE_HOOK_FLAGS', DefaultOption::hookFlags());

ClassLoader::init();

/** @var ContainerInterface $container */
$container = require BASE_PATH . '/config/container.php';

/** @var Application $application */
$application = $container->get(ApplicationInterface::class);
$application->run();
