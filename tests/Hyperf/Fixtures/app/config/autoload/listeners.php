<?php

declare(strict_types=1);
use App\Listener\EventsListener;
use App\Listener\ReloadListener;
use Hyperf\ExceptionHandler\Listener\ErrorExceptionHandler;

return [ErrorExceptionHandler::class, EventsListener::class, ReloadListener::class];
