<?php

declare(strict_types=1);

use Hyperf\Config\Config;
use Hyperf\GoTask\Config\DomainConfig;

// hyperf/gotask of another project, beside this package: both have their configuration under the same name.
$vendor = (string) getenv('BENCH_GO_CLIENT');
if ($vendor === '') {
    return [];
}
spl_autoload_register(static function (string $class) use ($vendor): void {
    foreach (['Hyperf\GoTask\\' => 'hyperf/gotask/src', 'Spiral\Goridge\\' => 'spiral/goridge/src'] as $prefix => $folder) {
        $file = "{$vendor}/{$folder}/" . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        str_starts_with($class, $prefix) && is_file($file) && require_once $file;
    }
});
require_once "{$vendor}/spiral/goridge/src/functions.php";

return [
    DomainConfig::class => static fn (): DomainConfig => new DomainConfig(new Config(['gotask' => [
        'enable' => false,
        'socket_address' => (string) getenv('BENCH_GO_ADDRESS'),
        // As hyperf/gotask publishes it.
        'pool' => ['min_connections' => 1, 'max_connections' => 30, 'connect_timeout' => 10.0, 'wait_timeout' => 30.0, 'heartbeat' => -1, 'max_idle_time' => 60.0],
    ]])),
];
