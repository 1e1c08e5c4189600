<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Status;

use Reasno\GoTask\Platform\Quietly;

use function function_exists;
use function is_array;
use function is_float;
use function is_int;
use function is_string;

/**
 * What a worker's supervisor said last of the worker, and whether that can still be true.
 *
 * @internal
 */
final class WorkerStatus
{
    /** EPERM: the process is there, and another user's. */
    private const NOT_PERMITTED = 1;

    /**
     * @param Availability $availability whether calls are taken
     * @param string $message why it is failed; else what is worth saying, or nothing
     * @param int $owner process without which there is no supervisor: the supervisor itself, or the server that starts it
     *                   again; 0: not known
     * @param int $supervisor process that a request to reload goes to; 0: not running yet
     * @param float $since Unix time of the last change
     * @param Generation $generation of the Python processes, since the last start
     * @param float $launched Unix time of the last start
     * @param string $ownerStarted what tells the owner from a later process of the same number
     * @param string $supervisorStarted the same of the supervisor
     * @param null|int $writer the user whose word this is; null: this process's own
     */
    public function __construct(
        public readonly Availability $availability,
        public readonly string $message = '',
        public readonly int $owner = 0,
        public readonly int $supervisor = 0,
        public readonly float $since = 0.0,
        public readonly Generation $generation = new Generation(),
        public readonly float $launched = 0.0,
        private readonly string $ownerStarted = '',
        private readonly string $supervisorStarted = '',
        private readonly ?int $writer = null,
    ) {
    }

    public static function of(
        Availability $availability,
        string $message,
        int $owner,
        int $supervisor,
        Generation $generation = new Generation(),
        float $launched = 0.0,
    ): self {
        return new self(
            $availability,
            $message,
            $owner,
            $supervisor,
            microtime(true),
            $generation,
            $launched,
            self::started($owner),
            self::started($supervisor),
        );
    }

    /** Whether the one who looks after the worker is still there. */
    public function isCurrent(): bool
    {
        return $this->owner === 0 || self::isThere($this->owner, $this->ownerStarted);
    }

    /**
     * The process that a request to reload may go to: the supervisor that wrote this, and no other process.
     *
     * @return null|int null: there is none, or what is said of it can't be true
     */
    public function reachable(): ?int
    {
        $owner = Quietly::call(fn () => is_dir("/proc/{$this->supervisor}") ? fileowner("/proc/{$this->supervisor}") : false);
        $isWriters = $owner === false || $this->writer === null || $owner === $this->writer;

        return $this->supervisor > 1 && $isWriters && self::isThere($this->supervisor, $this->supervisorStarted) ? $this->supervisor : null;
    }

    /**
     * @return array<string, float|int|string>
     */
    public function toArray(): array
    {
        return [
            'state' => $this->availability->value,
            'message' => $this->message,
            'owner' => $this->owner,
            'owner_started' => $this->ownerStarted,
            'supervisor' => $this->supervisor,
            'supervisor_started' => $this->supervisorStarted,
            'since' => $this->since,
            'launched' => $this->launched,
            'generation' => $this->generation->serving,
            'newest_generation' => $this->generation->newest,
            'reload_failure' => $this->generation->failure,
        ];
    }

    /**
     * @param null|int $writer the user who wrote it
     * @return null|self null: it is no such status
     */
    public static function fromArray(mixed $fields, ?int $writer = null): ?self
    {
        if (! is_array($fields) || ! is_string($fields['state'] ?? null)) {
            return null;
        }
        $availability = Availability::tryFrom($fields['state']);
        $integer = static fn (string $key): int => is_int($fields[$key] ?? null) ? $fields[$key] : 0;
        $text = static fn (string $key): string => is_string($fields[$key] ?? null) ? $fields[$key] : '';
        $number = static fn (string $key): float => is_float($fields[$key] ?? null) || is_int($fields[$key] ?? null) ? (float) $fields[$key] : 0.0;

        return $availability === null ? null : new self(
            $availability,
            $text('message'),
            $integer('owner'),
            $integer('supervisor'),
            $number('since'),
            new Generation($integer('generation'), $integer('newest_generation'), $text('reload_failure')),
            $number('launched'),
            $text('owner_started'),
            $text('supervisor_started'),
            $writer,
        );
    }

    private static function isThere(int $pid, string $started): bool
    {
        $now = self::started($pid);

        // Where this process or the writer of the file can't see /proc, the number alone has to do.
        return self::isAlive($pid) && ($now === '' || $started === '' || $now === $started);
    }

    private static function isAlive(int $pid): bool
    {
        if (function_exists('posix_kill')) {
            return posix_kill($pid, 0) || ! function_exists('posix_get_last_error') || posix_get_last_error() === self::NOT_PERMITTED;
        }

        return ! Quietly::call(static fn () => is_dir('/proc/self')) || Quietly::call(static fn () => is_dir("/proc/{$pid}"));
    }

    /** In clock ticks since the system's start; nothing where there is no /proc. */
    private static function started(int $pid): string
    {
        $stat = $pid > 0 ? (string) Quietly::call(static fn () => is_file("/proc/{$pid}/stat") ? file_get_contents("/proc/{$pid}/stat") : '') : '';
        $end = strrpos($stat, ')');

        return $end === false ? '' : explode(' ', substr($stat, $end + 2))[19] ?? '';
    }
}
