<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

use Swoole\Coroutine;

/**
 * The memory of coroutines' stacks, 2 MiB each.
 *
 * What is free at the end of the heap glibc returns to the system as soon as it is more than twice the largest block that was ever
 * mapped and freed: after two coroutines that end one after the other, if all have stacks of one size. Those that begin next get
 * theirs anew, page by page, which costs a server's requests more than a call does. A single stack of the largest size that Swoole
 * allows, never written to, raises that to sixteen coroutines. An allocator that works otherwise takes no notice.
 *
 * @internal
 */
final class SwooleStacks
{
    /** Bytes: the most that Swoole allows. */
    private const LARGEST = 16 * 1024 * 1024;

    private static bool $kept = false;

    /**
     * Has the C library keep more of them. Once in a process is enough, and its children inherit it.
     */
    public static function keep(): void
    {
        if (self::$kept) {
            return;
        }
        self::$kept = true;
        /** @var array{c_stack_size?: int} $stats */
        $stats = Coroutine::stats();
        $size = $stats['c_stack_size'] ?? self::LARGEST;
        if ($size < self::LARGEST) {
            Coroutine::set(['c_stack_size' => self::LARGEST]);
            // A process may be at its limit of coroutines.
            @Coroutine::create(static function (): void {
            });
            Coroutine::set(['c_stack_size' => $size]);
        }
    }
}
