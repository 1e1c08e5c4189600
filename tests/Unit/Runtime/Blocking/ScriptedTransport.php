<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Runtime\Blocking;

use Closure;
use LogicException;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;
use Reasno\GoTask\Runtime\Stream\Transport;

use function array_shift;
use function str_split;
use function strlen;
use function substr;

/**
 * A socket whose peer answers every call with what it was given, in pieces; and where something runs, once, when bytes have been
 * taken off it, as a signal's handler does.
 */
final class ScriptedTransport implements Transport
{
    /** @var null|Closure(): void */
    public ?Closure $onRead = null;

    /** @var null|Closure(): void */
    public ?Closure $onWrite = null;

    /** @var null|Closure(): void */
    public ?Closure $onClose = null;

    /** @var list<string> */
    public array $answers = [];

    /** @var list<Closure(): void> what answers a call when nothing else is to be read */
    public array $held = [];

    public int $writes = 0;

    /** How many calls have been answered. */
    public int $answered = 0;

    /** @var list<Frame> what has been written */
    public array $frames = [];

    /** Nothing more comes once the answers are read. */
    public bool $isGone = false;

    /** Nothing can be written any more. */
    public bool $isBroken = false;

    public bool $closed = false;

    private FrameDecoder $decoder;

    /**
     * @param int<1, max> $piece bytes that a read brings at most
     * @param null|Closure(self, Frame, string, string): void $peer what it does with a call, of a method and a body
     */
    public function __construct(private readonly int $piece = 7, private readonly ?Closure $peer = null)
    {
        $this->decoder = new FrameDecoder();
    }

    public function answer(Frame $call, string $body, int $flags): void
    {
        $this->answered++;
        $method = substr($call->payload, 0, $call->options[1]);
        $reply = Frame::encode($flags, [$call->options[0], $call->options[1]], $method . $body);
        $this->answers = [...$this->answers, ...str_split($reply, $this->piece)];
    }

    public function write(string $bytes): int
    {
        if ($this->isBroken) {
            return -1;
        }
        $this->writes++;
        $this->decoder->feed($bytes);
        while (($frame = $this->decoder->next()) instanceof Frame) {
            $this->frames[] = $frame;
            if (($frame->flags & Flag::CONTROL) !== 0) {
                continue;
            }
            $name = $frame->options[1];
            $body = substr($frame->payload, $name);
            if ($this->peer === null) {
                $this->answer($frame, $body, $frame->flags);
            } else {
                ($this->peer)($this, $frame, substr($frame->payload, 0, $name), $body);
            }
        }
        [$run, $this->onWrite] = [$this->onWrite, null];
        $run === null || $run();

        return strlen($bytes);
    }

    public function read(int $length, int $wait): ?string
    {
        if ($this->closed) {
            throw new LogicException('It was closed.');
        }
        if ($this->answers === [] && $this->held !== []) {
            array_shift($this->held)();
        }
        $bytes = array_shift($this->answers) ?? ($this->isGone ? null : '');
        if ($bytes !== '' && $bytes !== null) {
            [$run, $this->onRead] = [$this->onRead, null];
            $run === null || $run();
        }

        return $bytes;
    }

    public function poll(int $wait): bool
    {
        return $this->answers !== [];
    }

    public function stream(): mixed
    {
        throw new LogicException('It has no stream.');
    }

    public function error(): string
    {
        return 'it was closed';
    }

    public function close(): void
    {
        $this->closed = true;
        if ($this->onClose !== null) {
            ($this->onClose)();
        }
    }
}
