<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use PHPUnit\Framework\Attributes\CoversNothing;

/**
 * The commands of the package, and those of an application.
 *
 * @internal
 */
#[CoversNothing]
final class ConsoleTest extends HyperfTestCase
{
    public function testCommandsAttachToTheRunningWorker(): void
    {
        $this->app->publish();
        $this->app->start();
        $this->json('/');

        [$code, $output] = $this->app->console('gotask:call', 'App.Hi', '"Jo"', '--json');
        self::assertSame([0, '{"hello":"Jo"}'], [$code, $output]);
        self::assertStringContainsString('App.hi(name)', $this->app->console('gotask:methods')[1]);
        self::assertStringContainsString('state      ready', $this->app->console('gotask:status')[1]);
        [$code, $output] = $this->app->console('gotask:doctor');
        self::assertStringContainsString('a worker is ready', $output);
        self::assertSame(0, $code, $output);
    }

    public function testStandardOutputHasNothingButTheResult(): void
    {
        $this->app->publish();
        $this->edit('gotask/app.py', 'return {"hello": name}', "return b'\\xff\\n' if name == 'bytes' else {'hello': name}");
        $this->app->start();
        $this->json('/');

        self::assertSame("{\"hello\":\"Jo\"}\n", $this->app->output('gotask:call', 'App.Hi', '"Jo"', '--json'));
        self::assertSame("\xff\n", $this->app->output('gotask:call', 'App.Hi', '"bytes"'));
        foreach (['gotask:status', 'gotask:methods', 'gotask:doctor'] as $command) {
            self::assertJson($this->app->output('-n', $command, '--json'), $command);
            self::assertJson($this->app->output('-n', $command, '--json', '--worker=nope'), "{$command} of none");
        }
        self::assertStringContainsString('[DEBUG]', $this->app->output('list'), 'others are left as they are');
    }

    public function testCommandsSayHowEveryWorkerIs(): void
    {
        $this->app->publish();
        $this->edit('config/autoload/gotask.php', "return [\n", "return [\n    'apart' => ['managed' => false, 'address' => 'unix://apart.sock', 'pool' => ['connect_timeout' => 0.1]],\n");
        $this->app->start();
        $this->json('/');

        [$code, $output] = $this->app->console('gotask:status');
        self::assertSame(3, $code, $output);
        self::assertMatchesRegularExpression('/apart\n.*Cannot connect to .*gotask\.apart\.managed is false.*\n\ndefault\nstate +ready/', $output);
        $status = $this->app->output('gotask:status', '--json');
        self::assertMatchesRegularExpression('/^\{"apart":\{"error":\{"kind":"ConnectFailed",.*\},"default":\{"pid":.*"state":"ready"/', $status);
        self::assertJson($status);
        self::assertStringStartsWith('{"pid":', $this->app->output('gotask:status', '--json', '-w', 'default'));

        [$code, $output] = $this->app->console('gotask:doctor');
        self::assertSame(1, $code, $output);
        self::assertMatchesRegularExpression('/the worker apart, which is not managed.*\nbad  Cannot connect to .*apart.sock/', $output);
        [$code, $output] = $this->app->console('gotask:reload');
        self::assertSame(3, $code, $output);
        self::assertMatchesRegularExpression('/apart\n.*deployed apart.*\n\ndefault\nthe code as it is now runs, generation 2/', $output);
        self::assertSame(2, $this->app->console('gotask:reload', '--timeout', 'soon')[0]);
    }

    public function testWithoutAServerThereIsNone(): void
    {
        $this->app->publish();

        self::assertSame(3, $this->app->console('gotask:call', 'App.Hi', '"Jo"')[0]);
        self::assertSame(3, $this->app->console('gotask:reload')[0]);
    }

    public function testACommandCanHaveAWorkerOfItsOwn(): void
    {
        $this->app->publish();
        [$code, $output] = $this->app->console('hello');

        self::assertSame(0, $code, $output);
        self::assertStringContainsString('{"brokers":1,"hello":"Jo"}', $output);
        self::assertSame([], $this->app->processes());
    }

    public function testBeforeAnythingIsPublishedCommandsSayWhatToDo(): void
    {
        [$code, $output] = $this->app->console('gotask:doctor');

        self::assertSame(1, $code);
        self::assertStringContainsString('vendor:publish reasno/gotask', $output);
    }

    public function testAnApplicationsOwnTests(): void
    {
        $this->app->publish();
        putenv('GOTASK_CONSOLE=private');
        try {
            [$code, $output] = $this->app->run('vendor/bin/co-phpunit', '--prepend', 'test/bootstrap.php', '--filter', 'GoTaskTest');
        } finally {
            putenv('GOTASK_CONSOLE');
        }

        self::assertSame(0, $code, $output);
        self::assertMatchesRegularExpression('/^OK/m', $output);
        self::assertSame([], $this->app->processes());
    }
}
