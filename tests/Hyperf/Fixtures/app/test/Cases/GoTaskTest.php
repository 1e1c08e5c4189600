<?php

declare(strict_types=1);

namespace HyperfTest\Cases;

use Hyperf\Context\ApplicationContext;
use Hyperf\Di\Container;
use Hyperf\Di\Definition\DefinitionSourceFactory;
use Hyperf\Testing\Client;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Testing\FakeGoTask;

use function Hyperf\Support\make;

class GoTaskTest extends TestCase
{
    public function testAPrivateWorker()
    {
        self::assertSame(['hello' => 'Jo'], make(Client::class)->get('/hi', ['name' => 'Jo']));
        self::assertSame(['hello' => 'Jo'], ApplicationContext::getContainer()->get(GoTask::class)->call('App.Hi', 'Jo'));
    }

    public function testARunHasOneWorkerWhateverContainersItMakes()
    {
        $pid = ApplicationContext::getContainer()->get(GoTask::class)->call('GoTask.Status')['pid'];
        $before = ApplicationContext::getContainer();
        try {
            $container = ApplicationContext::setContainer(new Container((new DefinitionSourceFactory())()));
            self::assertSame($pid, $container->get(GoTask::class)->call('GoTask.Status')['pid']);
        } finally {
            ApplicationContext::setContainer($before);
        }
    }

    public function testAFakeBoundInOneLine()
    {
        ApplicationContext::getContainer()->set(GoTask::class, new FakeGoTask(['App.Hi' => ['hello' => 'nobody']]));

        self::assertSame(['hello' => 'nobody'], ApplicationContext::getContainer()->get(GoTask::class)->call('App.Hi', 'Jo'));
    }
}
