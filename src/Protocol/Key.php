<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use LogicException;
use Reasno\GoTask\Platform\Quietly;
use SensitiveParameter;
use ValueError;
use WeakMap;

use function fclose;
use function fopen;
use function fstat;
use function getenv;
use function hash_hmac;
use function is_dir;
use function rtrim;
use function stream_get_contents;
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
     * Not in the object: var_export(), a cast to an array and serialize() show whatever is.
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
     * @return string the key in a file, without the line break at its end
     * @throws ValueError when it can't be read, or everybody can
     */
    public static function read(string $path): string
    {
        $file = Quietly::call(static fn () => is_dir($path) ? false : fopen($path, 'r'));
        if ($file === false) {
            throw new ValueError("The key file {$path} can't be read: there is none, or this user may not.");
        }
        $mode = fstat($file)['mode'] ?? 0;
        $content = stream_get_contents($file, self::MAX + 3);
        fclose($file);
        if (($mode & 0o007) !== 0) {
            throw new ValueError("The key file {$path} is open to everybody on this machine: chmod o= {$path}");
        }

        return rtrim((string) $content, "\r\n");
    }

    /**
     * @return null|string what GOTASK_KEY says, or the file that GOTASK_KEY_FILE names
     * @throws ValueError
     */
    public static function fromEnvironment(): ?string
    {
        $key = (string) getenv('GOTASK_KEY');
        $file = (string) getenv('GOTASK_KEY_FILE');

        return match (true) {
            $key !== '' && $file !== '' => throw new ValueError('GOTASK_KEY and GOTASK_KEY_FILE are both set: leave one of them out.'),
            $file !== '' => self::read($file),
            default => $key === '' ? null : $key,
        };
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
