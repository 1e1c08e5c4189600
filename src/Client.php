<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Closure;
use Generator;
use Psr\Log\LoggerInterface;
use Psr\Log\NullLogger;
use Reasno\GoTask\Calling\Durable;
use Reasno\GoTask\Calling\Elements;
use Reasno\GoTask\Calling\Input;
use Reasno\GoTask\Calling\Parallel;
use Reasno\GoTask\Calling\PendingFuture;
use Reasno\GoTask\Calling\Runtimes;
use Reasno\GoTask\Calling\Sender;
use Reasno\GoTask\Calling\Services;
use Reasno\GoTask\Codec\ArrayExtension;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\MessagePackEncoder;
use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\ParallelFailed;
use Reasno\GoTask\Goridge\CallFlag;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Pool\Signatures;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\Exchange;
use Reasno\GoTask\Protocol\Key;
use Reasno\GoTask\Protocol\Metadata;
use SensitiveParameter;
use Throwable;
use ValueError;

use function array_filter;
use function array_values;
use function hrtime;
use function implode;
use function is_array;
use function is_finite;
use function is_string;
use function min;
use function strlen;

/**
 * A client of one broker, or of several that serve the same, for any PHP program.
 *
 *     $task = new Client('unix:///run/app/gotask.sock');
 *
 * It connects when the first call is made, and again whenever that is needed. How a call waits is chosen for each: in a Swoole
 * coroutine or a fiber of Revolt's loop only that one waits, anywhere else the process does. It can be kept over a fork.
 */
final class Client implements GoTask
{
    /** Calls of parallel() that are under way at the same time, unless it is told otherwise. */
    public const CONCURRENCY = 256;

    /** Seconds; more would not fit the clock. */
    private const MAX_TIMEOUT = 1e9;

    /** Bytes from which on a string goes to the socket as it is, and is not copied to be put behind its type and length. */
    private const UNCOPIED = 262_144;

    /** As given; several with commas between them. */
    public readonly string $address;

    private readonly Sender $sender;

    private readonly MessagePackCodec $codec;

    private readonly Signatures $signatures;

    /** When the last call was made, hrtime() in ns. */
    private int $now = 0;

    /**
     * @param list<Address|string>|string $address `unix:///path`, at most 106 bytes of path, `tcp://host:port` or `tls://host:port`; or several
     *                                             that serve the same: each call goes to the least loaded one that answers
     * @param float $timeout seconds that a call may take, unless it says otherwise
     * @param float $connectTimeout seconds that opening a connection may take; never longer than the call that needs it
     * @param int $maxConnections at least 1; a further one is opened only while all others are busy
     * @param int $minConnections 0 … $maxConnections; so many are kept however long they are not needed
     * @param float $maxIdleTime seconds after which a connection beyond $minConnections that was not needed is closed
     * @param int $maxPayload bytes of the largest frame that is sent or taken; by default 64 MiB, as in the worker
     * @param LoggerInterface $logger is told what no caller can be told
     * @param null|string $key the worker's shared key, 16 bytes or more, where it has one; Unix sockets need none
     * @param Tls $tls for a `tls://` address
     * @param Hints $hints how errors name what is to be done
     * @param list<Observer> $observers are told of each call, in this order; see docs/tracing.md
     * @param array<string, object> $services what methods may call back, as `gotask.current_call().php.call("Config.get", …)`: objects by name; a closure
     *                                        gives one when it is first called
     * @throws ValueError when one of these is out of its bounds
     */
    public function __construct(
        array|string $address,
        private readonly float $timeout = 30.0,
        float $connectTimeout = 10.0,
        int $maxConnections = 4,
        int $minConnections = 1,
        float $maxIdleTime = 60.0,
        int $maxPayload = FrameDecoder::MAX_PAYLOAD,
        private readonly LoggerInterface $logger = new NullLogger(),
        #[SensitiveParameter]
        ?string $key = null,
        Tls $tls = new Tls(),
        Hints $hints = new Hints(),
        array $services = [],
        private readonly array $observers = [],
    ) {
        self::seconds($timeout, 'The timeout');
        self::seconds($connectTimeout, 'The connect timeout');
        self::seconds($maxIdleTime, 'The longest idle time');
        self::range($maxConnections, 1, 1024, 'The number of connections');
        self::range($minConnections, 0, $maxConnections, 'The least number of connections');
        self::range($maxPayload, 1024, Frame::MAX_UINT32, 'The largest payload');
        $this->address = implode(',', (array) $address);
        $this->codec = new MessagePackCodec();
        $settings = new Settings(
            $connectTimeout,
            $minConnections,
            $maxConnections,
            $maxIdleTime,
            $maxPayload,
            $logger,
            $key === null ? null : new Key($key),
            $tls,
            $hints,
        );
        $this->signatures = $settings->signatures;
        $this->sender = new Sender(new Runtimes(self::parse($address), $settings), $settings, $this->codec, new Services($services));
    }

    private function __clone()
    {
    }

    public function call(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): mixed
    {
        $call = $this->prepare($method, $payload, $timeout);
        if ($key !== null || $headers !== [] || $this->observers !== []) {
            $this->addMetadata($call, $key, $headers);
        }
        if ($onProgress !== null || $input !== null) {
            self::addExchange($call, $onProgress, $input);
        }
        if ($this->sender->fast?->callFast($call, $this->now) !== true) {
            $this->sender->submit($call);
        } elseif ($call->state === CallState::Replied && $call->replyFlags === Flag::MSGPACK && $call->replyHead === '' && $call->reply !== '' && $call->metadata === null) {
            // finish(), in fewer steps.
            return $this->codec->decode($call->reply);
        }

        return $this->sender->finish($call);
    }

    public function callAsync(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): Future
    {
        $call = $this->prepare($method, $payload, $timeout);
        if ($key !== null || $headers !== [] || $this->observers !== []) {
            $this->addMetadata($call, $key, $headers);
        }
        if ($onProgress !== null || $input !== null) {
            self::addExchange($call, $onProgress, $input);
        }
        $this->sender->submit($call);

        return new PendingFuture($this->sender, $call, $this->logger);
    }

    public function stream(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): Generator
    {
        $call = $this->addMetadata($this->prepare($method, $payload, $timeout, CallFlag::STREAM), $key, $headers);
        self::addExchange($call, $onProgress, $input);

        return (new Elements($this->sender, $this->codec, $call))->read();
    }

    public function parallel(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): array
    {
        $parallel = $this->parallelCalls($calls, $concurrency, $timeout);
        $parallel->run();
        $errors = $parallel->errors();
        if ($throw && $errors !== []) {
            throw new ParallelFailed($parallel->results(withErrors: false), $errors);
        }

        return $parallel->results(withErrors: true);
    }

    public function completed(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): Generator
    {
        $keys = [];
        $parallel = $this->parallelCalls(is_array($calls) ? $calls : self::numbered($calls, $keys), $concurrency, $timeout);

        return (static function () use ($parallel, &$keys, $throw): Generator {
            foreach ($parallel->completed() as $number => $outcome) {
                $key = $keys[$number] ?? $number;
                unset($keys[$number]);
                yield $key => $throw && $outcome instanceof GoTaskException ? throw $outcome : $outcome;
            }
        })();
    }

    public function notify(string $method, mixed $payload = null, null|int|string $key = null, array $headers = [], bool $durable = false): ?string
    {
        $call = $this->addMetadata($this->prepare($method, $payload, null, $durable ? CallFlag::DURABLE : CallFlag::NOTIFY), $key, $headers);
        $this->sender->submit($call);
        $answer = $this->sender->finish($call);

        return $durable ? Durable::id($method, $answer) : null;
    }

    public function outcome(string $id): Outcome
    {
        return Durable::outcome($id, $this->call('GoTask.Outcome', $id), $this->codec);
    }

    public function service(string $name): Service
    {
        return new Service($this, $name);
    }

    public function expectSignatures(string $signatures): void
    {
        $this->signatures->expect($signatures);
    }

    /**
     * Closes the connections; calls that are under way fail. The next call opens a new one.
     */
    public function close(): void
    {
        $this->sender->runtimes->close();
    }

    /**
     * @throws GoTaskException
     */
    private function prepare(string $method, mixed $payload, ?float $timeout, int $callFlags = 0): Call
    {
        if ($timeout === null) {
            $timeout = $this->timeout;
        } else {
            self::seconds($timeout, 'The timeout');
        }
        if ($method === '' || strlen($method) > Frame::MAX_METHOD) {
            throw new InvalidRequest(
                "A method's name has 1 to " . Frame::MAX_METHOD . ' bytes, this one has ' . strlen($method) . '.',
                $method,
            );
        }
        $this->now = hrtime(true);
        $deadline = $this->now + (int) (min($timeout, self::MAX_TIMEOUT) * 1e9);
        $codec = Flag::MSGPACK;
        $tail = '';
        if (is_array($payload)) {
            $body = $this->codec->encode($payload);
        } elseif ($payload === null) {
            $body = '';
        } elseif ($payload instanceof Args) {
            $body = Values::encodeArguments($payload, $this->codec);
            $callFlags |= CallFlag::ARGS;
        } elseif ($payload instanceof Raw) {
            $body = $payload->bytes;
            $codec = Flag::RAW;
        } elseif ($payload instanceof NdArray && $payload->size() >= self::UNCOPIED) {
            $body = ArrayExtension::head($payload);
            $tail = $payload->bytes();
        } else {
            if ((is_string($payload) || $payload instanceof Bytes) && strlen((string) $payload) >= self::UNCOPIED) {
                $tail = (string) $payload;
            }
            $body = $tail === ''
                ? $this->codec->encode($payload)
                : MessagePackEncoder::largeHead(strlen($tail), $payload instanceof Bytes);
        }

        return new Call($method, $codec, $body, $callFlags, $deadline, $timeout, $tail);
    }

    /**
     * @param array<array-key, string> $headers
     * @throws InvalidRequest
     */
    private function addMetadata(Call $call, null|int|string $key, array $headers): Call
    {
        $json = Metadata::encode($call->method, $headers);
        $ends = [];
        foreach ($this->observers as $observer) {
            $ends[] = $observer->begin($call->method, $headers);
        }
        if ($ends !== []) {
            $json = Metadata::encode($call->method, $headers);
            $ends = array_filter($ends);
        }
        if ($json !== '' || $key !== null) {
            $call->callFlags |= CallFlag::METADATA;
        } elseif ($ends === []) {
            return $call;
        }
        $call->metadata = new Metadata($json, Metadata::key($key), $ends === [] ? null : function (?Throwable $error) use ($ends): void {
            foreach ($ends as $end) {
                try {
                    $end($error);
                } catch (Throwable $failure) {
                    $this->logger->error('An observer failed: {message}', ['message' => $failure->getMessage(), 'exception' => $failure]);
                }
            }
        });

        return $call;
    }

    /**
     * @template TKey of array-key
     * @param iterable<TKey, mixed> $calls
     * @return Parallel<TKey>
     */
    private function parallelCalls(iterable $calls, ?int $concurrency, ?float $timeout): Parallel
    {
        if ($concurrency !== null && $concurrency < 1) {
            throw new ValueError("The concurrency must be at least 1, it is {$concurrency}.");
        }
        if ($timeout !== null) {
            self::seconds($timeout, 'The timeout');
        }

        return new Parallel(
            $calls,
            $this->sender,
            $this->observers === []
                ? fn (string $method, mixed $payload): Call => $this->prepare($method, $payload, $timeout)
                : fn (string $method, mixed $payload): Call => $this->addMetadata($this->prepare($method, $payload, $timeout), null, []),
            $concurrency ?? self::CONCURRENCY,
        );
    }

    /**
     * The same calls under numbers: what a generator yields may have any keys, and several times the same.
     *
     * @param iterable<mixed, mixed> $calls
     * @param array<int, mixed> $keys by those numbers
     * @return Generator<int, mixed>
     */
    private static function numbered(iterable $calls, array &$keys): Generator
    {
        $number = 0;
        foreach ($calls as $key => $call) {
            $keys[$number] = $key;
            yield $number++ => $call;
        }
    }

    /**
     * @param null|Closure(Progress): mixed $onProgress
     */
    private static function addExchange(Call $call, ?Closure $onProgress, mixed $input): void
    {
        $call->exchange = new Exchange($onProgress, $input === null ? null : Input::of($input));
        $call->callFlags |= ($onProgress === null ? 0 : CallFlag::PROGRESS) | ($input === null ? 0 : CallFlag::INPUT);
    }

    /**
     * @param list<Address|string>|string $address
     * @return non-empty-list<Address>
     */
    private static function parse(array|string $address): array
    {
        $addresses = [];
        foreach ((array) $address as $each) {
            $parsed = $each instanceof Address ? $each : Address::parse($each);
            $addresses[(string) $parsed] = $parsed;
        }

        return array_values($addresses) ?: throw new ValueError('A client needs at least one address.');
    }

    private static function seconds(float $seconds, string $what): void
    {
        if (! ($seconds > 0.0) || ! is_finite($seconds)) {
            throw new ValueError("{$what} must be a finite number of seconds above 0, it is {$seconds}.");
        }
    }

    private static function range(int $value, int $min, int $max, string $what): void
    {
        if ($value < $min || $value > $max) {
            throw new ValueError("{$what} must be from {$min} to {$max}, it is {$value}.");
        }
    }
}
