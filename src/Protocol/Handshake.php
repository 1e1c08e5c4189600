<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;

use function ctype_xdigit;
use function hash_equals;
use function hex2bin;
use function is_array;
use function is_int;
use function is_string;
use function json_decode;
use function json_encode;
use function max;
use function random_bytes;
use function strlen;

use const JSON_THROW_ON_ERROR;
use const JSON_UNESCAPED_SLASHES;

/**
 * Hello, and with a shared key the proofs by which caller and broker show each other that both have it. No I/O.
 *
 * @internal
 */
final class Handshake
{
    public const AUTHENTICATE = 'GoTask.Authenticate';

    /** Bytes that an answer to Hello or Authenticate has at most: a broker's own has a fraction of them. */
    public const MAX_ANSWER = 65_536;

    private const VERSION = '0.1.0';

    private readonly string $nonce;

    private string $peerNonce = '';

    public function __construct(private readonly ?Key $key)
    {
        $this->nonce = $key === null ? '' : random_bytes(Key::NONCE);
    }

    /**
     * @return string the frame of a Hello that nothing follows; with a nonce, so that a broker with a key takes no offence
     */
    public static function question(): string
    {
        $nonce = bin2hex(random_bytes(Key::NONCE));

        return Frame::call(1, Session::HELLO, Flag::JSON, self::body(['nonce' => $nonce]));
    }

    /**
     * Whether a method is one of those that a connection begins with.
     */
    public static function isOurs(string $method): bool
    {
        return $method === Session::HELLO || $method === self::AUTHENTICATE;
    }

    /**
     * @param bool $fast whether a fast path is wanted: the broker then says of each reply how long the method took
     * @return string the body of Hello
     */
    public function hello(bool $fast = false): string
    {
        return self::body(($this->key === null ? [] : ['nonce' => bin2hex($this->nonce)]) + ($fast ? ['fast' => true] : []));
    }

    /**
     * @param string $hello the body of the answer to Hello
     * @return null|int bytes of the largest payload that the broker takes; null when the peer is none
     */
    public static function limit(string $hello): ?int
    {
        $said = json_decode($hello, true);
        // An echo server, which returns what it was sent, is not a broker.
        if (! is_array($said) || ! is_int($said['protocol'] ?? null) || $said['protocol'] < 1 || ($said['peer'] ?? 'php') === 'php') {
            return null;
        }
        $limit = $said['max_payload'] ?? null;

        return is_int($limit) ? max($limit, 1) : Frame::MAX_UINT32;
    }

    /**
     * @param string $greeting the body of the answer to Hello, or to Authenticate where there is a key
     * @return int ns between two heartbeats; 0: there are none
     */
    public static function heartbeat(string $greeting): int
    {
        $said = json_decode($greeting, true);
        $seconds = is_array($said) ? $said['heartbeat'] ?? null : null;

        return is_int($seconds) && $seconds > 0 && $seconds < 3600 ? $seconds * 1_000_000_000 : 0;
    }

    /**
     * @param string $hello the body of the answer to Hello
     * @return null|string the body of Authenticate, or null where there is no key
     * @throws NotAuthorized
     */
    public function authenticate(string $hello): ?string
    {
        if ($this->key === null) {
            return null;
        }
        $nonce = self::field($hello, 'nonce');
        if (strlen($nonce) !== 2 * Key::NONCE || ! ctype_xdigit($nonce)) {
            throw new NotAuthorized(
                'The peer asks for no shared key, so it can\'t show that it has ours: start the worker with that key, or leave it out here.'
                . ' No call was sent.',
            );
        }
        $this->peerNonce = (string) hex2bin($nonce);

        return json_encode(['proof' => $this->key->proof(Key::CALLER, $this->nonce, $this->peerNonce)], JSON_THROW_ON_ERROR);
    }

    /**
     * @param string $reply the body of the answer to Authenticate
     * @throws NotAuthorized
     */
    public function verify(string $reply): void
    {
        $proof = $this->key?->proof(Key::BROKER, $this->nonce, $this->peerNonce) ?? '';
        if (! hash_equals($proof, self::field($reply, 'proof'))) {
            throw new NotAuthorized('The peer does not have our shared key: no call was sent to it.');
        }
    }

    /**
     * @param array<string, bool|string> $more
     */
    private static function body(array $more): string
    {
        return json_encode(
            ['protocol' => Session::PROTOCOL, 'peer' => 'php', 'version' => self::VERSION] + $more,
            JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES,
        );
    }

    private static function field(string $json, string $name): string
    {
        $said = json_decode($json, true);
        $value = is_array($said) ? $said[$name] ?? null : null;

        return is_string($value) ? $value : '';
    }
}
