<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Platform\Select;
use Reasno\GoTask\Protocol\Handshake;
use Reasno\GoTask\Runtime\Probe;
use Reasno\GoTask\Tls;

use function fclose;
use function feof;
use function fread;
use function fwrite;
use function hrtime;
use function is_resource;
use function stream_set_blocking;
use function stream_socket_get_name;
use function strlen;

/**
 * A probe by a PHP stream that never waits: each question moves it on.
 *
 * @internal
 */
final class StreamProbe implements Probe
{
    /** @var null|resource */
    private mixed $stream = null;

    private readonly int $limit;

    private bool $asked = false;

    private ?bool $answered = null;

    /**
     * @param float $timeout seconds until an answer must have come
     */
    public function __construct(private readonly Address $address, Tls $tls, float $timeout)
    {
        $this->limit = (int) (hrtime(true) + $timeout * 1e9);

        try {
            $this->stream = StreamConnector::connect($address, $tls, $timeout, wait: false);
            stream_set_blocking($this->stream, false);
        } catch (ConnectFailed|NotAuthorized) {
            $this->answered = false;
        }
    }

    public function __destruct()
    {
        if (is_resource($this->stream)) {
            fclose($this->stream);
        }
    }

    public function isAnswered(): ?bool
    {
        if ($this->answered === null) {
            $this->answered = $this->look() ?? (hrtime(true) > $this->limit ? false : null);
        }

        return $this->answered;
    }

    private function look(): ?bool
    {
        $stream = $this->stream;
        if ($stream === null) {
            return false;
        }
        if (! $this->asked) {
            [$reads, $writes] = [[], [$stream]];
            $ready = Select::streams($reads, $writes, 0);
            if ($ready === 0) {
                return null;
            }
            if (stream_socket_get_name($stream, true) === false) {
                return $ready === null ? null : false;
            }
            $isReady = ! $this->address->tls ?: StreamConnector::shakeHands($stream);
            if ($isReady !== true) {
                return $isReady;
            }
            $hello = Handshake::question();
            if (Quietly::call(static fn () => fwrite($stream, $hello)) !== strlen($hello)) {
                return false;
            }
            $this->asked = true;
        }
        $bytes = Quietly::call(static fn () => fread($stream, 1));

        return $bytes === false || $bytes === '' ? (feof($stream) ? false : null) : true;
    }
}
