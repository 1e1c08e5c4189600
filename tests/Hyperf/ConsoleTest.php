<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use PHPUnit\Framework\Attributes\CoversNothing;

use function dirname;

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
        self::assertMatchesRegularExpression('/^\d+  sync worker, idle\n(.*\n)* +File "/m', $this->app->console('gotask:dump')[1]);
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
        self::assertMatchesRegularExpression('/apart\n.*Cannot connect to .*\n\ndefault\nApp\.Hi/i', $this->app->console('gotask:methods')[1]);
        $status = $this->app->output('gotask:status', '--json');
        self::assertMatchesRegularExpression('/^\{"apart":\{"error":\{"kind":"ConnectFailed",.*\},"default":\{"pid":.*"state":"ready"/', $status);
        self::assertJson($status);
        self::assertStringStartsWith('{"pid":', $this->app->output('gotask:status', '--json', '-w', 'default'));

        [$code, $output] = $this->app->console('gotask:top', '--interval=0.01');
        self::assertSame(3, $code, $output);
        self::assertMatchesRegularExpression('/^apart +gone .*\ndefault +ready .*\napart: Cannot connect to .*apart\.sock/m', $output);
        self::assertMatchesRegularExpression('/^default +\d+ +\(shared\) /m', $this->app->console('gotask:top', '--interval=0.01')[1]);

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

    public function testGenerateWritesClassesThatTheContainerInjects(): void
    {
        $this->app->publish();
        $this->edit('config/autoload/gotask.php', "return [\n", "return [\n    'other' => ['app' => 'gotask/other.py'],\n");
        $this->app->write('gotask/other.py', "import gotask\n\n\ndef add(a: int, b: int = 1) -> int:\n    return a + b\n\n\ngotask.register(add)\n");
        $command = <<<'PHP'
            <?php

            namespace App\Command;

            use App\Python\App;
            use App\Python\Other\Functions;
            use Hyperf\Command\Annotation\Command;
            use Hyperf\Command\Command as HyperfCommand;

            #[Command]
            class HelloCommand extends HyperfCommand
            {
                protected ?string $name = 'hello';

                public function __construct(private App $app, private Functions $functions)
                {
                    parent::__construct();
                }

                public function handle(): void
                {
                    $this->line(json_encode([$this->app->hi('Jo'), $this->functions->add(2, b: 3)]));
                }
            }
            PHP;
        unlink("{$this->app->directory}/app/Command/HelloCommand.php");
        putenv('GOTASK_CONSOLE=private');
        [$code, $output] = $this->app->console('gotask:generate');
        self::assertSame(2, $code, $output);
        self::assertStringContainsString('composer require --dev nette/php-generator', $output);

        $classes = dirname(__DIR__, 2) . '/vendor/composer/autoload_classmap.php';
        $this->edit('bin/hyperf.php', "require BASE_PATH . '/vendor/autoload.php';", "require BASE_PATH . '/vendor/autoload.php';\n\$nette = new Composer\\Autoload\\ClassLoader();\n\$nette->addClassMap(require '{$classes}');\n\$nette->register();");
        foreach ([['gotask:generate'], ['gotask:generate', '--worker=other']] as $generate) {
            [$code, $output] = $this->app->console(...$generate);
            self::assertSame(0, $code, $output);
            self::assertSame(0, $this->app->console(...[...$generate, '--check'])[0]);
        }
        $this->app->write('app/Command/HelloCommand.php', $command);
        [$code, $output] = $this->app->console('hello');
        self::assertSame(0, $code, $output);
        self::assertStringContainsString('[{"hello":"Jo"},5]', $output);

        $this->edit('gotask/other.py', 'b: int = 1', 'b: int = 2');
        self::assertStringContainsString('run `php bin/hyperf.php gotask:generate --worker=other`', $this->app->console('hello')[1]);
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
        [$code, $output] = $this->app->run('vendor/bin/co-phpunit', '--prepend', 'test/bootstrap.php', '--filter', 'GoTaskTest');

        self::assertSame(0, $code, $output);
        self::assertMatchesRegularExpression('/^OK/m', $output);
        self::assertSame([], $this->app->processes());
    }
}
