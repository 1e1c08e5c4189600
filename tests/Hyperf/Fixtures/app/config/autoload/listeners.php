<?php

declare(strict_types=1);
use App\Listener\EventsListener;
use App\Listener\ReloadListener;

return [EventsListener::class, ReloadListener::class];
