<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use RuntimeException;

use function array_map;
use function bin2hex;
use function escapeshellarg;
use function exec;
use function glob;
use function implode;
use function mkdir;
use function random_bytes;
use function rmdir;
use function sys_get_temp_dir;
use function unlink;

/**
 * An authority, certificates that it has signed, and others that it has not, made by the openssl command: name.pem and name.key.
 */
final class Certificates
{
    private readonly string $folder;

    public function __construct()
    {
        $this->folder = sys_get_temp_dir() . '/gotask-certificates-' . bin2hex(random_bytes(6));
        mkdir($this->folder, 0o700);
        foreach (['ca', 'other_ca'] as $name) {
            $this->make($name, '-addext', 'keyUsage=critical,keyCertSign');
        }
        $this->sign('broker', 'ca', 'DNS:localhost,DNS:worker.test,IP:127.0.0.1');
        $this->sign('caller', 'ca', 'DNS:caller.test');
        $this->sign('other', 'other_ca', 'DNS:caller.test');
    }

    public function __destruct()
    {
        array_map(unlink(...), glob("{$this->folder}/*") ?: []);
        rmdir($this->folder);
    }

    public function path(string $name): string
    {
        return "{$this->folder}/{$name}";
    }

    private function sign(string $name, string $ca, string $names): void
    {
        $signedBy = ['-CA', $this->path("{$ca}.pem"), '-CAkey', $this->path("{$ca}.key")];
        $this->make($name, ...$signedBy, ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', "subjectAltName={$names}"]);
    }

    private function make(string $name, string ...$arguments): void
    {
        $command = [
            'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
            '-subj', "/CN={$name}", '-out', $this->path("{$name}.pem"), '-keyout', $this->path("{$name}.key"), ...$arguments,
        ];
        exec(implode(' ', array_map(escapeshellarg(...), $command)) . ' 2>&1', $output, $code);
        if ($code !== 0) {
            throw new RuntimeException(implode("\n", $output));
        }
    }
}
