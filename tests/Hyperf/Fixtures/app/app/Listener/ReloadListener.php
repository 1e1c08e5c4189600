<?php

declare(strict_types=1);

namespace App\Listener;

use Hyperf\Event\Contract\ListenerInterface;
use Hyperf\Framework\Event\BeforeMainServerStart;

/** The application's own callback of the server, named in its configuration or registered here. */
class ReloadListener implements ListenerInterface
{
    public function listen(): array
    {
        return [BeforeMainServerStart::class];
    }

    public function process(object $event): void
    {
        if (getenv('RELOAD_CALLBACK') === 'listener') {
            $event->server->on('beforeReload', fn () => $this->note('listener'));
        }
    }

    public function onBeforeReload(): void
    {
        $this->note('');
    }

    private function note(string $name): void
    {
        file_put_contents(BASE_PATH . '/events.txt', "BeforeReload {$name}\n", FILE_APPEND);
    }
}
