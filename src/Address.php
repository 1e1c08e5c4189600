<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Stringable;
use ValueError;

use function strlen;

/**
 * Where a broker listens: `unix:///run/app/gotask.sock`, `tcp://host:port`, `tls://[::1]:port`.
 */
final class Address implements Stringable
{
    /**
     * Bytes. A socket address holds 107 and a terminating zero; Swoole's hooks refuse 107, and plain PHP cuts what is
     * longer without a word.
     */
    public const MAX_UNIX_PATH = 106;

    /**
     * @param string $host the path of the Unix socket when $port is null
     * @param string $name the host as it was given, where $host is one of the IP addresses that it stands for
     */
    private function __construct(
        public readonly string $host,
        public readonly ?int $port,
        public readonly bool $tls = false,
        public readonly string $name = '',
    ) {
    }

    public function __toString(): string
    {
        if ($this->port === null) {
            return 'unix://' . $this->host;
        }

        return ($this->tls ? 'tls://' : 'tcp://') . (str_contains($this->host, ':') ? "[{$this->host}]" : $this->host) . ':' . $this->port;
    }

    /**
     * @param string $address a relative Unix path is taken from the working directory of this moment
     * @throws ValueError when it is no address; the message says what is wrong
     */
    public static function parse(string $address): self
    {
        [$scheme, $rest] = explode('://', $address, 2) + [1 => ''];
        if ($rest !== '' && $scheme === 'unix') {
            return self::unix($rest);
        }
        if ($rest !== '' && ($scheme === 'tcp' || $scheme === 'tls')) {
            return self::network($scheme, $rest, $address);
        }

        throw new ValueError("\"{$address}\" is no address: write unix:///path/to/gotask.sock, tcp://host:port or tls://host:port.");
    }

    public function isUnix(): bool
    {
        return $this->port === null;
    }

    /**
     * Whether it may stand for several machines. `localhost` is one.
     */
    public function isName(): bool
    {
        return ! $this->isUnix() && $this->host !== 'localhost' && ! str_contains($this->host, ':') && filter_var($this->host, FILTER_VALIDATE_IP) === false;
    }

    /**
     * One of the machines that a name stands for.
     */
    public function at(string $ip): self
    {
        return new self($ip, $this->port, $this->tls, $this->host);
    }

    /**
     * As it was given.
     */
    public function given(): string
    {
        return $this->name === '' ? (string) $this : (string) new self($this->name, $this->port, $this->tls);
    }

    private static function unix(string $path): self
    {
        if (! str_starts_with($path, '/')) {
            $path = getcwd() . '/' . $path;
        }
        if (str_contains($path, "\0")) {
            throw new ValueError('The path of a Unix socket can\'t hold a zero byte.');
        }
        if (strlen($path) > self::MAX_UNIX_PATH) {
            throw new ValueError(
                'The socket path "' . $path . '" has ' . strlen($path) . ' bytes and can have at most '
                . self::MAX_UNIX_PATH . ': choose a shorter one.',
            );
        }

        return new self($path, null);
    }

    private static function network(string $scheme, string $rest, string $address): self
    {
        $matches = [];
        if (
            preg_match('/^(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\[\]:\/\s]+):(\d{1,5})$/D', $rest, $matches) !== 1
            || (int) $matches[2] < 1
            || (int) $matches[2] > 65535
        ) {
            throw new ValueError(
                "\"{$address}\" is no network address: write {$scheme}://host:port, with an IPv6 address in square brackets.",
            );
        }
        $host = str_starts_with($matches[1], '[') ? substr($matches[1], 1, -1) : $matches[1];

        return new self($host, (int) $matches[2], $scheme === 'tls');
    }
}
