<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Supervision;

use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\WorkerStatus;

use function function_exists;
use function sprintf;

/**
 * A request to the supervisor of a worker that its app be loaded again, from any process on its machine.
 *
 * @internal
 */
final class Reload
{
    private const SIGHUP = 1;

    /** Microseconds between two looks. */
    private const LOOK = 10_000;

    private function __construct(private readonly StatusFile $file, private readonly WorkerStatus $before)
    {
    }

    /**
     * @return null|string why nobody can be asked from this process, and what to do about that
     */
    public static function obstacle(): ?string
    {
        return function_exists('posix_kill') ? null : 'PHP may send no signals here: it needs the extension posix, and posix_kill not in disable_functions. SIGHUP to the supervisor does the same';
    }

    /**
     * @return null|self null: no supervisor was found that could be asked
     */
    public static function request(string $address): ?self
    {
        $file = new StatusFile($address);
        $before = $file->read();
        $supervisor = $before?->reachable();
        $asked = $supervisor !== null && self::obstacle() === null && posix_kill($supervisor, self::SIGHUP);

        return $before !== null && $asked ? new self($file, $before) : null;
    }

    /**
     * Waits until code runs that was loaded after the request.
     *
     * @param float $timeout seconds
     * @return int the number of its generation
     * @throws WorkerStartFailed it can't be started: the old code goes on, or there was none
     * @throws DeadlineExceeded
     */
    public function await(float $timeout): int
    {
        $until = hrtime(true) + (int) ($timeout * 1e9);
        do {
            $status = $this->file->read() ?? throw new WorkerStartFailed('its supervisor has ended');
            $generation = $status->generation;
            if ($status->availability === Availability::Failed && $status->since !== $this->before->since) {
                throw new WorkerStartFailed($status->message);
            }
            if ($status->availability === Availability::Ready && $this->isLater($status) && ! $generation->isReloading()) {
                return $generation->failure === '' ? $generation->serving : throw new WorkerStartFailed($generation->failure);
            }
            usleep(self::LOOK);
        } while (hrtime(true) < $until);

        throw new DeadlineExceeded(sprintf('the app was not loaded again within %g s; that may still come', $timeout));
    }

    /** Whether its newest processes were started after the request; those of a start that was under way then were not. */
    private function isLater(WorkerStatus $status): bool
    {
        return [$status->launched, $status->generation->newest] > [$this->before->launched, max(1, $this->before->generation->newest)];
    }
}
