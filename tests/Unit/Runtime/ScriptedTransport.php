<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Runtime;

use Closure;
use LogicException;
use Reasno\GoTask\Connection\Transport;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;

use function array_shift;
use function str_split;
use function strlen;

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

    /** @var list<string> */
    public array $answers = [];

    public int $calls = 0;

    public bool $closed = false;

    private FrameDecoder $decoder;

    /**
     * @param int<1, max> $piece bytes that a read brings at most
     */
    public function __construct(private readonly int $piece = 7)
    {
        $this->decoder = new FrameDecoder();
    }

    public function write(string $bytes): int
    {
        $this->decoder->feed($bytes);
        while (($frame = $this->decoder->next()) instanceof Frame) {
            if (($frame->flags & Flag::CONTROL) === 0) {
                $this->calls++;
                $reply = Frame::encode($frame->flags, [$frame->options[0], $frame->options[1]], $frame->payload);
                $this->answers = [...$this->answers, ...str_split($reply, $this->piece)];
            }
        }
        [$run, $this->onWrite] = [$this->onWrite, null];
        $run === null || $run();

        return strlen($bytes);
    }

    public function read(int $length, int $wait): string
    {
        if ($this->closed) {
            throw new LogicException('It was closed.');
        }
        $bytes = array_shift($this->answers) ?? '';
        if ($bytes !== '') {
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
    }
}
