<?php

declare(strict_types=1);

namespace HyperfTest\Cases;

use Hyperf\Context\ApplicationContext;
use Hyperf\Testing\TestCase;
use PHPUnit\Framework\Attributes\CoversNothing;
use Reasno\GoTask\Hyperf\PrivateWorkers;

/**
 * The whole application, with a Python worker of the tests' own.
 *
 * @internal
 */
#[CoversNothing]
class WorkerTest extends TestCase
{
    protected function tearDown(): void
    {
        // Each test has a container of its own, and with it a worker.
        $workers = ApplicationContext::getContainer()->get(PrivateWorkers::class);
        self::assertInstanceOf(PrivateWorkers::class, $workers);
        $workers->stop();
        parent::tearDown();
    }

    public function testGreeting(): void
    {
        $this->get('/hi', ['name' => 'Reasno'])->assertOk()->assertJson(['hello' => 'Reasno']);
    }

    public function testPrimes(): void
    {
        $this->get('/primes', ['below' => 10_000])->assertOk()->assertJson(['primes' => 1229]);
    }

    public function testReport(): void
    {
        $this->get('/report', ['year' => 2026])->assertOk()->assertJson(['year' => 2026, 'trend' => 0.51]);
    }

    public function testUpload(): void
    {
        $file = BASE_PATH . '/runtime/prices.csv';
        file_put_contents($file, "name,price\nTea,2.5\nCoffee,3.5\n");

        $this->file('/table', ['name' => 'file', 'file' => $file])
            ->assertOk()
            ->assertJson(['rows' => 2, 'columns' => ['price' => ['average' => 3]]]);
    }

    public function testWithoutAFileNothingIsDone(): void
    {
        $this->post('/table')->assertStatus(400);
    }

    public function testTheErrorPageShowsPythonsTraceback(): void
    {
        $this->get('/error')
            ->assertStatus(500)
            ->assertSee('App.Fail raised RuntimeError: failed on purpose')
            ->assertSee('Traceback (most recent call last):')
            ->assertSee('raise RuntimeError(f"failed {why}")');
    }

    public function testHealth(): void
    {
        $this->get('/health')->assertOk()->assertExactJson(['default' => null]);
    }
}
