<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

use ErrorException;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Protocol\FastSocket;
use RuntimeException;
use Socket;
use ValueError;

use function array_filter;
use function fclose;
use function function_exists;
use function is_resource;
use function socket_connect;
use function socket_create;
use function socket_export_stream;
use function socket_set_nonblock;
use function stream_set_blocking;
use function stream_socket_recvfrom;
use function stream_socket_sendto;
use function strlen;

use const AF_UNIX;
use const SOCK_SEQPACKET;

/**
 * The socket of a fast path as a stream that does not block, for an event loop to watch. PHP opens no such socket but with ext-sockets.
 *
 * @internal
 */
final class FastStream implements FastSocket
{
    /** What the broker's path for it ends with. */
    private const SUFFIX = '.fast';

    /** Those of ext-sockets that a fast path needs in one of the runtimes. Some hosts disable a few of them. */
    private const FUNCTIONS = [
        'socket_create', 'socket_connect', 'socket_set_block', 'socket_set_nonblock', 'socket_set_option', 'socket_export_stream',
        'socket_send', 'socket_recv', 'socket_last_error', 'socket_clear_error', 'socket_close',
    ];

    /** @var resource */
    public readonly mixed $stream;

    private function __construct(private readonly Socket $socket)
    {
        $this->stream = socket_export_stream($socket) ?: throw new RuntimeException('The socket is no stream.');
        stream_set_blocking($this->stream, false);
    }

    /**
     * @param Address $address the connection's own
     * @return null|self null where there can be none
     */
    public static function open(Address $address): ?self
    {
        $socket = self::connect($address);

        return $socket === null ? null : new self($socket);
    }

    /**
     * @param Address $address the connection's own
     * @return null|Socket does not block; null where there can be none
     */
    public static function connect(Address $address): ?Socket
    {
        if (array_filter(self::FUNCTIONS, function_exists(...)) !== self::FUNCTIONS) {
            return null;
        }

        try {
            $fast = Address::parse($address . self::SUFFIX);
            StreamConnector::checkOwner($fast);
        } catch (NotAuthorized|ValueError) {
            return null;
        }
        $socket = Quietly::call(static fn () => socket_create(AF_UNIX, SOCK_SEQPACKET, 0));
        $isConnected = $socket !== false && Quietly::call(static fn () => socket_set_nonblock($socket) && socket_connect($socket, $fast->host));

        return $isConnected ? $socket : null;
    }

    public function send(string $message): bool
    {
        try {
            return @stream_socket_sendto($this->stream, $message) === strlen($message);
        } catch (ErrorException) {
            return false; // see Quietly, which would cost time here
        }
    }

    public function receive(): ?string
    {
        $message = stream_socket_recvfrom($this->stream, self::LARGEST);

        return $message === '' ? null : (string) $message;
    }

    public function close(): void
    {
        if (is_resource($this->stream)) {
            // The socket is the stream's now.
            fclose($this->stream);
        }
    }
}
