<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process;

use Reasno\GoTask\Platform\Quietly;
use ValueError;

/**
 * Where commands and configuration get a worker's shared key.
 *
 * @internal
 */
final class KeyFile
{
    /** Bytes: some more than a key may have, so that one that is too long is not taken for a shorter one. */
    private const READ = 4099;

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
        $content = stream_get_contents($file, self::READ);
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
}
