<?php

declare(strict_types=1);
use App\Listener\EventsListener;

return [EventsListener::class];
