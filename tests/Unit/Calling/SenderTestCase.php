<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Calling;

use PHPUnit\Framework\TestCase;
use Psr\Log\NullLogger;
use Reasno\GoTask\Address;
use Reasno\GoTask\Calling\Runtimes;
use Reasno\GoTask\Calling\Sender;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\Stream;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Blocking\BlockingConnection;
use Reasno\GoTask\Tests\Unit\Pool\FakeRuntime;
use Reasno\GoTask\Tests\Unit\Runtime\Blocking\ScriptedTransport;

use function array_map;
use function array_values;
use function count;
use function hrtime;
use function json_encode;

/**
 * Tests of what brings calls to connections, on connections that a test is the peer of.
 */
abstract class SenderTestCase extends TestCase
{
    protected const ADDRESS = 'unix:///nowhere/gotask.sock';

    protected FakeRuntime $runtime;

    protected Sender $sender;

    protected function setUp(): void
    {
        $this->runtime = new FakeRuntime();
        $this->sender = $this->sender();
    }

    protected function sender(string ...$others): Sender
    {
        $settings = new Settings(5.0, 1, 4, 60.0, 1_000_000, new NullLogger());
        $addresses = array_map(Address::parse(...), [self::ADDRESS, ...array_values($others)]);

        return new Sender(new Runtimes($addresses, $settings, $this->runtime), $settings, new MessagePackCodec());
    }

    /**
     * The next connection that is opened: to a broker that says of itself what is given, and does with each call as its method says.
     *
     * @param null|list<string> $idempotent the names that it tells when it is greeted; null: it tells none
     * @param list<string> $methods the names that it tells when it is asked
     */
    protected function broker(?array $idempotent = [], array $methods = []): ScriptedTransport
    {
        $greeting = ['protocol' => 1, 'peer' => 'python', 'version' => '0', 'max_payload' => 1_000_000]
            + ($idempotent === null ? [] : ['idempotent' => $idempotent]);
        $transport = new ScriptedTransport(1000, static function (ScriptedTransport $transport, Frame $call, string $method, string $body) use ($greeting, $methods): void {
            match ($method) {
                Session::HELLO => $transport->answer($call, (string) json_encode($greeting), Flag::JSON),
                'GoTask.Methods' => $transport->answer($call, (new MessagePackCodec())->encode(array_map(
                    static fn (string $name): array => ['name' => $name, 'idempotent' => true],
                    $methods,
                )), Flag::MSGPACK),
                'App.never' => null,
                'App.hold' => $transport->held[] = static fn () => $transport->answer($call, $body, $call->flags),
                'App.fail' => $transport->answer($call, '{"code":"remote_error","message":"as told","type":"ValueError"}', Flag::JSON | Flag::ERROR),
                'App.refuse' => self::refuse($transport, $call),
                'App.onDask' => $transport->answer($call, '{"code":"unavailable","message":"no scheduler","data":{"executor":"dask"}}', Flag::JSON | Flag::ERROR),
                'App.die', 'App.get' => $transport->isGone = true,
                default => $transport->answer($call, $body, $call->flags),
            };
        });
        $this->connect($transport);

        return $transport;
    }

    private static function refuse(ScriptedTransport $transport, Frame $call): void
    {
        $transport->answers[] = Frame::encode(Flag::CONTROL, [0], '', Stream::STOP);
        $transport->answer($call, '{"code":"unavailable","message":"it ends"}', Flag::JSON | Flag::ERROR);
    }

    protected function connect(ScriptedTransport $transport): BlockingConnection
    {
        return $this->runtime->makes[] = new BlockingConnection(new Session(1_000_000), Address::parse(self::ADDRESS), $transport);
    }

    protected static function newCall(string $method, mixed $payload = 'x', float $timeout = 5.0): Call
    {
        return new Call($method, Flag::MSGPACK, (new MessagePackCodec())->encode($payload), 0, (int) (hrtime(true) + $timeout * 1e9), $timeout);
    }

    protected function call(string $method, mixed $payload = 'x'): mixed
    {
        $call = self::newCall($method, $payload);
        $this->sender->submit($call);

        return $this->sender->finish($call);
    }

    /**
     * @return list<string> the methods that were called there, but for Hello
     */
    protected static function called(ScriptedTransport $transport): array
    {
        $called = [];
        foreach ($transport->frames as $frame) {
            $method = ($frame->flags & Flag::CONTROL) === 0 ? substr($frame->payload, 0, $frame->options[1]) : '';
            if ($method !== '' && $method !== Session::HELLO) {
                $called[] = $method;
            }
        }

        return $called;
    }

    protected static function stops(ScriptedTransport $transport): int
    {
        return count(array_filter($transport->frames, static fn (Frame $frame): bool => ($frame->flags & Flag::CONTROL) !== 0 && ($frame->stream & Stream::STOP) !== 0));
    }
}
