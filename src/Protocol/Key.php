<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use LogicException;
use SensitiveParameter;
use ValueError;
use WeakMap;

use function hash_hmac;
use function rtrim;
use function strlen;

/**
 * The key that a broker and its callers share, and the proofs by which each shows the other that it has it. It never travels, and
 * never shows itself.
 *
 * A proof is the HMAC-SHA256 of the prover's role and both nonces; tests/vectors/handshake.json holds examples that the Python side
 * agrees with.
 *
 * @internal
 */
final class Key
{
    /** Bytes. */
    public const MIN = 16;
    public const MAX = 4096;

    /** Bytes of a nonce. */
    public const NONCE = 32;
    public const CALLER = "GoTask.Authenticate 1 caller\n";
    public const BROKER = "GoTask.Authenticate 1 broker\n";

    /**
     * Outside of the object: var_export(), a cast to an array and serialize() show all that is in it.
     *
     * @var null|WeakMap<self, string>
     */
    private static ?WeakMap $bytes = null;

    /**
     * @param string $bytes a line break at their end, as a file has, does not count
     * @param string $where it comes from, for the error
     * @throws ValueError when it is too short or too long
     */
    public function __construct(#[SensitiveParameter] string $bytes, string $where = 'The key')
    {
        $bytes = rtrim($bytes, "\r\n");
        $length = strlen($bytes);
        if ($length < self::MIN || $length > self::MAX) {
            throw new ValueError(
                "{$where} has {$length} bytes, and a key has " . self::MIN . ' to ' . self::MAX . ': make one with openssl rand -hex 32.',
            );
        }
        self::$bytes ??= new WeakMap();
        self::$bytes[$this] = $bytes;
    }

    private function __clone()
    {
    }

    /**
     * @return never
     */
    public function __serialize(): array
    {
        throw new LogicException('A key is not to be written anywhere.');
    }

    /**
     * @param string $callerNonce bytes
     * @param string $brokerNonce bytes
     * @return string hexadecimal
     */
    public function proof(string $role, string $callerNonce, string $brokerNonce): string
    {
        return hash_hmac('sha256', $role . $callerNonce . $brokerNonce, self::$bytes[$this] ?? throw new LogicException('A key has no copies.'));
    }
}
