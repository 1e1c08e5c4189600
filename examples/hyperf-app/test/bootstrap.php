<?php

declare(strict_types=1);

use Hyperf\Di\ClassLoader;
use Hyperf\Engine\DefaultOption;

error_reporting(E_ALL);

define('BASE_PATH', dirname(__DIR__));

// Before the configuration is read: the tests have a worker of their own and leave a running server's alone.
putenv('APP_ENV=testing');
putenv('GOTASK_CONSOLE=private');

require BASE_PATH . '/vendor/autoload.php';

define('SWOOLE_HOOK_FLAGS', DefaultOption::hookFlags());

ClassLoader::init();

require BASE_PATH . '/config/container.php';
