<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Psr\Log\NullLogger;
use Random\Engine\Mt19937;
use Random\Randomizer;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\Stream;
use Reasno\GoTask\Pool\Pool;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;

use function array_filter;
use function array_map;
use function array_values;
use function count;
use function hrtime;
use function in_array;
use function min;
use function random_int;
use function str_repeat;

/**
 * The pool against what must hold, whatever happens to its connections in whatever order. GOTASK_SEED makes a run again.
 */
final class PoolModelTest extends TestCase
{
    private const SECOND = 1_000_000_000;
    private const MOST = 3;
    private const STEPS = 300;

    private Randomizer $random;

    private FakeRuntime $runtime;

    private Pool $pool;

    private int $now;

    /** @var list<FakeConnection> all that the pool has given */
    private array $known = [];

    /** @var list<FakeConnection> that the test itself closed */
    private array $closed = [];

    /** @var list<Call> that wait for an answer */
    private array $waiting = [];

    #[DataProvider('seeds')]
    public function testWhateverHappensEachCallHasOneOutcomeAndTheBestConnection(int $seed): void
    {
        $this->random = new Randomizer(new Mt19937($seed));
        $this->runtime = new FakeRuntime();
        $settings = new Settings(5.0, 1, self::MOST, 10.0, 1_000_000, new NullLogger());
        $this->pool = new Pool($this->runtime, $settings, Address::parse('unix:///nowhere'));
        $this->now = (int) hrtime(true);
        for ($step = 0; $step < self::STEPS; $step++) {
            match ($this->random->getInt(0, 11)) {
                0, 1, 2, 3 => $this->call(),
                4, 5 => $this->answer(),
                6 => $this->clog(),
                7 => $this->drain(),
                8 => $this->wait(),
                9 => $this->runtime->refuses = $this->random->getInt(0, 2) === 0,
                10 => $this->die(),
                11 => $this->goAway(),
            };
            $this->check("seed {$seed}, step {$step}");
        }
        $this->pool->close();
        foreach ($this->waiting as $call) {
            // Whoever waits for the answers of one that is going away may still get them: the pool may have let go of it.
            if ($call->connection?->session->goingAway !== true) {
                self::assertSame(CallState::Lost, $call->state, "seed {$seed}, in the end");
            }
        }
    }

    /**
     * @return iterable<array{int}>
     */
    public static function seeds(): iterable
    {
        $given = getenv('GOTASK_SEED');
        if ($given !== false) {
            yield [(int) $given];

            return;
        }
        for ($i = 0; $i < 40; $i++) {
            yield [$i < 20 ? $i : random_int(20, 2_147_483_647)];
        }
    }

    private function call(): void
    {
        $usable = array_values(array_filter($this->known, static fn (FakeConnection $connection): bool => $connection->isUsable()));
        // Those that were not used for a second are asked first, and the dead found.
        $living = array_values(array_filter($usable, fn (FakeConnection $connection): bool => $connection->alive || ! $this->isAsked($connection)));
        $free = array_filter($living, static fn (FakeConnection $connection): bool => ! $connection->isBusy());
        $loads = array_map(static fn (FakeConnection $connection): int => $connection->load(), $living);

        try {
            $connection = $this->pool->acquire($this->now + 30 * self::SECOND, $this->now, 'A');
        } catch (ConnectFailed) {
            self::assertTrue($this->runtime->refuses);
            self::assertSame([], $living, 'it fails although there is a connection');

            return;
        }
        self::assertInstanceOf(FakeConnection::class, $connection);
        self::assertTrue($connection->isUsable());
        if (! in_array($connection, $this->known, true)) {
            self::assertSame([], $free, 'one more is opened although one is free');
            self::assertLessThan(self::MOST, count($living));
            $this->known[] = $connection;
        } elseif ($free !== []) {
            self::assertFalse($connection->isBusy(), 'a busy one is given although another is free');
        } else {
            self::assertTrue(count($living) === self::MOST || $this->runtime->refuses, 'a busy one is given although one more may be opened');
            self::assertSame(min($loads ?: [0]), $connection->load(), 'another one has less to do');
        }
        $call = new Call('A', Flag::JSON, '', 0, $this->now + 30 * self::SECOND, 30.0);
        $connection->submit($call, $this->now);
        $this->waiting[] = $call;
    }

    /**
     * A reply comes to a call, or twice.
     */
    private function answer(): void
    {
        $call = $this->pick($this->waiting);
        $connection = $call?->connection;
        if ($call === null || ! $connection instanceof FakeConnection || ! $connection->isOpen()) {
            return;
        }
        $reply = Frame::encode(Flag::JSON, [$call->sequence, 1], "A{$call->sequence}");
        $connection->session->receive($reply . ($this->random->getInt(0, 4) === 0 ? $reply : ''));
        self::assertSame(CallState::Replied, $call->state);
        self::assertSame((string) $call->sequence, $call->reply);
    }

    /**
     * The peer reads nothing for now.
     */
    private function clog(): void
    {
        $this->pick($this->open())?->session->sendBuffer->append(str_repeat('x', $this->random->getInt(70_000, 200_000)));
    }

    private function drain(): void
    {
        $this->pick($this->open())?->flush();
    }

    private function wait(): void
    {
        $this->now += $this->random->getInt(1, 12) * self::SECOND;
    }

    /**
     * The peer is gone: the connection shows that at once, or only when it is asked.
     */
    private function die(): void
    {
        $connection = $this->pick($this->open());
        if ($connection === null) {
            return;
        }
        if ($this->random->getInt(0, 1) === 0) {
            $connection->alive = false;
        } else {
            $connection->close('the peer closed it');
            $this->closed[] = $connection;
        }
    }

    private function goAway(): void
    {
        $this->pick($this->open())?->session->receive(Frame::encode(Flag::CONTROL, [0], '', Stream::STOP));
    }

    private function check(string $when): void
    {
        self::assertLessThanOrEqual(self::MOST, $this->pool->count(), $when);
        foreach ($this->waiting as $call) {
            $connection = $call->connection;
            self::assertInstanceOf(FakeConnection::class, $connection);
            if ($call->state === CallState::Waiting) {
                self::assertTrue($connection->isOpen(), "{$when}: a call waits at a closed connection");
            } elseif ($call->state === CallState::Lost) {
                self::assertTrue(
                    in_array($connection, $this->closed, true) || ! $connection->alive,
                    "{$when}: the pool closed a connection with a call under way",
                );
            }
        }
        $this->waiting = array_values(array_filter($this->waiting, static fn (Call $call): bool => $call->state === CallState::Waiting));
        foreach ($this->known as $connection) {
            self::assertLessThanOrEqual(1, $connection->disconnected, "{$when}: it was disconnected twice");
            self::assertSame($connection->isOpen() ? 0 : 1, $connection->disconnected, $when);
        }
    }

    private function isAsked(FakeConnection $connection): bool
    {
        return $this->now - $connection->lastUsed > self::SECOND && $connection->isIdle();
    }

    /**
     * @return list<FakeConnection>
     */
    private function open(): array
    {
        return array_values(array_filter($this->known, static fn (FakeConnection $connection): bool => $connection->isOpen()));
    }

    /**
     * @template T
     * @param list<T> $of
     * @return null|T
     */
    private function pick(array $of): mixed
    {
        return $of === [] ? null : $of[$this->random->getInt(0, count($of) - 1)];
    }
}
