<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\WorkerStartFailed;
use ValueError;

use function dirname;
use function function_exists;

/**
 * Where a supervisor tells the callers of its worker how it is: so that they wait for one that starts, and do not wait for
 * one that can't.
 *
 * It lies beside the Unix socket; where that is not possible, and for other addresses, in the folder for temporary files,
 * under a name that is this user's.
 */
final class StatusFile
{
    private const SUFFIX = '.status';

    /** @var non-empty-list<string> the places where it may be, the best first */
    private readonly array $paths;

    public function __construct(string $address)
    {
        try {
            $address = (string) Address::parse($address);
        } catch (ValueError) {
            // An address that can't be used has a status all the same: that it failed.
        }
        $user = function_exists('posix_geteuid') ? posix_geteuid() : (int) getmyuid();
        $name = "/gotask-{$user}-" . substr(hash('sha256', $address), 0, 16) . self::SUFFIX;
        $socket = UnixSocket::path($address);
        $this->paths = [
            ...$socket === null ? [] : [$socket . self::SUFFIX],
            rtrim(sys_get_temp_dir(), '/') . $name,
        ];
    }

    /** Never fails: who can't be told finds out by connecting. */
    public function write(WorkerStatus $status): void
    {
        $written = false;
        foreach ($this->paths as $path) {
            if ($written || ! self::replace($path, (string) json_encode($status->toArray(), JSON_INVALID_UTF8_SUBSTITUTE))) {
                self::delete($path);
            } else {
                $written = true;
            }
        }
    }

    /**
     * @return null|WorkerStatus null: nobody looks after this worker, as far as can be seen from here
     */
    public function read(): ?WorkerStatus
    {
        foreach ($this->paths as $path) {
            $json = is_file($path) && self::isTrusted($path) ? @file_get_contents($path) : false;
            $status = $json === false ? null : WorkerStatus::fromArray(json_decode($json, true));
            if ($status !== null) {
                return $status->isCurrent() ? $status : null;
            }
        }

        return null;
    }

    /**
     * @return null|bool whether the worker takes calls, or is worth waiting for; null: nobody looks after it
     * @throws WorkerStartFailed with the reason, when its last start failed
     */
    public function available(): ?bool
    {
        $status = $this->read();

        return match ($status?->availability) {
            null => null,
            Availability::Ready => true,
            Availability::Starting => false,
            Availability::Failed => throw new WorkerStartFailed($status->message),
        };
    }

    public function remove(): void
    {
        foreach ($this->paths as $path) {
            self::delete($path);
        }
    }

    private static function replace(string $path, string $json): bool
    {
        $directory = dirname($path);
        if (! is_dir($directory) && (! is_dir(dirname($directory)) || ! @mkdir($directory, 0o700))) {
            return false;
        }
        $new = $path . '.' . getmypid();
        self::delete($new);
        $file = @fopen($new, 'x');
        if ($file === false) {
            return false;
        }
        // Others may share the socket, so they may read this.
        @chmod($new, 0o644);
        $written = @fwrite($file, $json) !== false;
        fclose($file);

        if ($written && @rename($new, $path)) {
            return true;
        }
        self::delete($new);

        return false;
    }

    /** Looked at first: where errors are exceptions, a suppressed one may be, too. */
    private static function delete(string $path): void
    {
        is_file($path) && @unlink($path);
    }

    /** In a folder that everybody can write to, anybody can lie. */
    private static function isTrusted(string $path): bool
    {
        $mine = function_exists('posix_geteuid') ? posix_geteuid() : getmyuid();
        clearstatcache(true, $path);

        return dirname($path) !== rtrim(sys_get_temp_dir(), '/') || @fileowner($path) === $mine;
    }
}
