<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Status;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Platform\Quietly;
use ValueError;

/**
 * Where a supervisor tells the callers of its worker how it is: so that they wait for one that starts, and do not wait for
 * one that can't.
 *
 * It lies beside the Unix socket; where that is not possible, and for other addresses, in the folder for temporary files,
 * under a name that is this user's. It is neither written nor believed where other users could have a hand in it.
 *
 * @internal
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
        $name = '/gotask-' . Files::user() . '-' . substr(hash('sha256', $address), 0, 16) . self::SUFFIX;
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
            if ($written || ! Files::replace($path, (string) json_encode($status->toArray(), JSON_INVALID_UTF8_SUBSTITUTE))) {
                Files::delete($path);
            } else {
                $written = true;
            }
        }
    }

    /**
     * @return null|WorkerStatus null: nobody looks after this worker, as far as can be seen from here
     *
     * @phpstan-impure
     */
    public function read(): ?WorkerStatus
    {
        foreach ($this->paths as $path) {
            $file = Files::read($path);
            $status = $file === null ? null : WorkerStatus::fromArray(json_decode($file[0], true), $file[1]);
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

    /** Whether somebody has deleted what was written. */
    public function isGone(): bool
    {
        foreach ($this->paths as $path) {
            clearstatcache(true, $path);
            if (Quietly::call(static fn () => is_file($path))) {
                return false;
            }
        }

        return true;
    }

    public function remove(): void
    {
        foreach ($this->paths as $path) {
            Files::delete($path);
        }
    }
}
