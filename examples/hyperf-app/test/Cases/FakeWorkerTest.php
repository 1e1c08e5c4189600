<?php

declare(strict_types=1);

namespace HyperfTest\Cases;

use Hyperf\Testing\TestCase;
use PHPUnit\Framework\Attributes\CoversNothing;
use Reasno\GoTask\Exception\WorkerCrashed;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Testing\FakeGoTask;

/**
 * Controllers without Python: one line puts a FakeGoTask in the place of the worker.
 *
 * @internal
 */
#[CoversNothing]
class FakeWorkerTest extends TestCase
{
    public function testTheGreetingIsWhatPythonSays(): void
    {
        $this->instance(GoTask::class, $task = new FakeGoTask(['App.Hi' => fn (string $name) => ['hello' => "my {$name}"]]));

        $this->get('/hi', ['name' => 'Jo'])->assertOk()->assertJson(['hello' => 'my Jo']);
        $task->assertCalled('App.Hi', 'Jo');
    }

    public function testEveryPieceIsCountedOnce(): void
    {
        $this->instance(GoTask::class, $task = new FakeGoTask(['primes' => fn (int $low, int $high) => $high - $low]));

        $this->get('/primes', ['below' => 1003])->assertOk()->assertJson(['below' => 1003, 'primes' => 1003]);
        $task->assertCalledTimes('primes', 8);
    }

    public function testNothingIsCalledForAWrongYear(): void
    {
        $this->instance(GoTask::class, $task = new FakeGoTask());

        $this->get('/report', ['year' => 'soon'])->assertStatus(400);
        $task->assertNotCalled();
    }

    public function testWithoutAWorkerTheAnswerIs503(): void
    {
        $this->instance(GoTask::class, new FakeGoTask(['App.Hi' => new WorkerCrashed('the worker was killed by SIGKILL', 'App.Hi')]));

        $this->get('/hi')->assertStatus(503)->assertSee('killed by SIGKILL');
    }
}
