<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Process\WorkerProcess;

use function array_values;
use function dirname;
use function explode;
use function fclose;
use function json_decode;
use function proc_close;
use function proc_open;
use function stream_get_contents;
use function stream_socket_get_name;
use function stream_socket_server;
use function strrchr;
use function substr;
use function trim;

use const PHP_BINARY;

/**
 * @internal
 */
#[RequiresPhpExtension('pcntl')]
final class ForkTest extends TestCase
{
    private const KEY = 'a key that is known to both';

    private static ?WorkerProcess $worker = null;

    private static ?Certificates $certificates = null;

    public static function tearDownAfterClass(): void
    {
        self::$worker?->stop();
        self::$worker = self::$certificates = null;
    }

    public function testAForkedChildUsesAConnectionOfItsOwn(): void
    {
        $this->check('blocking');
    }

    #[RequiresPhpExtension('swoole')]
    public function testTheSameWithSwoole(): void
    {
        $this->check('swoole');
    }

    #[RequiresPhpExtension('sockets')]
    public function testAForkedChildLeavesTheFastPathToItsParent(): void
    {
        self::assertSame([['child'], ['parent', 1]], self::told('fork-fast.php', new Peer('fast'), 'blocking'));
    }

    #[RequiresPhpExtension('sockets')]
    #[RequiresPhpExtension('swoole')]
    public function testTheSameWithSwoolesFastPath(): void
    {
        self::assertSame([['child'], ['parent', 1]], self::told('fork-fast.php', new Peer('fast'), 'swoole'));
    }

    #[RequiresPhpExtension('FFI')]
    #[TestWith(['exit'])]
    #[TestWith(['use'])]
    #[TestWith(['drop'])]
    #[TestWith(['fatal'])]
    public function testAForkedChildSaysNothingOnTheTlsOfItsParent(string $end): void
    {
        self::assertSame([0.3, ['hello' => 'x']], self::forkWithTls([], $end));
    }

    #[RequiresPhpExtension('FFI')]
    #[RequiresPhpExtension('swoole')]
    #[TestWith(['exit'])]
    #[TestWith(['use'])]
    #[TestWith(['drop'])]
    public function testTheSameWithSwoolesTls(string $end): void
    {
        self::assertSame([0.3, ['hello' => 'x']], self::forkWithTls([], $end, 'swoole'));
    }

    public function testWithoutFfiTheParentOpensANewConnection(): void
    {
        self::assertSame([ConnectionLost::class, ['hello' => 'x']], self::forkWithTls(['-d', 'ffi.enable=0'], 'exit'));
    }

    /**
     * @param list<string> $options of PHP
     */
    private static function forkWithTls(array $options, string ...$arguments): mixed
    {
        $worker = self::$worker ??= self::start();
        $ca = (string) self::$certificates?->path('ca.pem');
        $command = [PHP_BINARY, ...$options, dirname(__DIR__) . '/Fixtures/fork-tls.php', $worker->address(), $ca, self::KEY, ...$arguments];
        $process = proc_open(array_values($command), [1 => ['pipe', 'w'], 2 => STDERR], $pipes);
        self::assertIsResource($process);
        self::assertArrayHasKey(1, $pipes);
        self::assertIsResource($pipes[1]);
        $said = (string) stream_get_contents($pipes[1]);
        proc_close($process);

        return json_decode($said, true);
    }

    private static function start(): WorkerProcess
    {
        $certificates = self::$certificates = new Certificates();
        $server = stream_socket_server('tcp://127.0.0.1:0');
        self::assertIsResource($server);
        $port = substr((string) strrchr((string) stream_socket_get_name($server, false), ':'), 1);
        fclose($server);
        $environment = ['GOTASK_TLS_CERTIFICATE' => $certificates->path('broker.pem'), 'GOTASK_TLS_KEY' => $certificates->path('broker.key'), 'GOTASK_KEY' => self::KEY];
        $worker = new WorkerProcess(dirname(__DIR__) . '/Fixtures/app.py', "tls://localhost:{$port}", workers: 1, environment: $environment);
        $worker->start();

        return $worker;
    }

    private function check(string $runtime): void
    {
        [$child, $parent] = self::told('fork.php', new Peer(), $runtime);
        self::assertIsArray($child);
        self::assertSame(['child', 2], [$child[0], $child[1]]);
        self::assertIsString($child[2]);
        self::assertStringContainsString('forked', $child[2]);
        self::assertSame(['parent', 1, 'on the same connection', 1], $parent);
    }

    /**
     * @return array{mixed, mixed} what the child of a program that forks, and the program itself, have said
     */
    private static function told(string $program, Peer $peer, string $runtime): array
    {
        $process = proc_open(
            [PHP_BINARY, dirname(__DIR__) . "/Fixtures/{$program}", $peer->address, $runtime],
            [1 => ['pipe', 'w']],
            $pipes,
        );
        self::assertIsResource($process);
        self::assertArrayHasKey(1, $pipes);
        self::assertIsResource($pipes[1]);
        $lines = explode("\n", trim((string) stream_get_contents($pipes[1])));
        proc_close($process);
        self::assertCount(2, $lines);

        return [json_decode($lines[0], true), json_decode($lines[1], true)];
    }
}
