<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Closure;
use Iterator;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\MessageKind;
use Reasno\GoTask\Progress;
use SplQueue;
use Throwable;

use function count;

/**
 * What goes to and fro while a call is under way: items of streams, progress, calls back. A call without any has none of these.
 *
 * Whoever waits for the call serves them, see Calling\Messenger; until then they lie here.
 *
 * @internal
 */
final class Exchange
{
    /** Bytes of items that each direction may have on the way. */
    public const WINDOW = 262_144;

    /** With so many messages that wait, a newer progress takes the place of the last one. */
    private const MANY = 64;

    /** Whether any was sent or came: the call has begun then, and is not sent again. */
    public bool $any = false;

    /** Whether nobody will ever wait for the call, and so nobody serve it. */
    public bool $isDropped = false;

    /** Body of the newest progress that has come; '' for none. */
    public string $progress = '';

    /** Bytes of the input that may still be sent. */
    public int $credit = 0;

    /** Whether the element that the input is at has been sent, and the next is to be asked for. */
    public bool $isSent = false;

    /** What the input threw. */
    public ?Throwable $failure = null;

    /** @var SplQueue<Frame> a queue: a stream that nobody reads for long can have a hundred thousand, and array_shift() moves all of them */
    private readonly SplQueue $waiting;

    /**
     * @param null|Closure(Progress): mixed $onProgress
     * @param null|Iterator<mixed> $input null: none, or it has ended
     */
    public function __construct(public readonly ?Closure $onProgress = null, public ?Iterator $input = null)
    {
        $this->waiting = new SplQueue();
    }

    public function put(Frame $message): void
    {
        $this->any = true;
        if ($this->isDropped) {
            return;
        }
        if ($message->options[1] === MessageKind::PROGRESS) {
            $this->progress = $message->payload;
            if (count($this->waiting) >= self::MANY && $this->waiting->top()->options[1] === MessageKind::PROGRESS) {
                $this->waiting->pop();
            }
        }
        $this->waiting->enqueue($message);
    }

    /**
     * The error of a call back within a call that nobody waits for.
     */
    public static function dropped(): string
    {
        return ErrorReply::body('cancelled', 'Nobody waits in PHP for the call that calls back: its future was let go of.');
    }

    /**
     * The next message, in the order in which they came; null: there is none.
     */
    public function take(): ?Frame
    {
        return $this->waiting->isEmpty() ? null : $this->waiting->dequeue();
    }
}
