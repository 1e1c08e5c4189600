<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use LogicException;
use Reasno\GoTask\Args;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Outcome;
use Reasno\GoTask\Progress;

use function bin2hex;
use function is_array;
use function random_bytes;
use function sys_get_temp_dir;
use function touch;
use function unlink;
use function usleep;

/**
 * Methods that Celery runs.
 */
abstract class DurableContract extends RuntimeTestCase
{
    private string $file = '';

    protected function setUp(): void
    {
        if (CeleryServers::get()->missing !== '') {
            self::markTestSkipped(CeleryServers::get()->missing);
        }
        $this->file = sys_get_temp_dir() . '/gotask-durable-' . bin2hex(random_bytes(6));
    }

    protected function tearDown(): void
    {
        if ($this->file !== '') {
            foreach (['', '.begun', '.ended'] as $suffix) {
                @unlink($this->file . $suffix);
            }
        }
    }

    public function testADurableCallHasAnOutcomeForWhoeverAsks(): void
    {
        $this->runIn(function (): void {
            $client = new Client(CeleryServers::get()->address);
            $id = $client->notify('Report.WaitFor', $this->file, headers: ['trace' => '1'], durable: true);
            $other = new Client(CeleryServers::get()->address);
            do {
                $running = self::outcome($other, $id, 'running');
            } while ($running->progress === null);
            self::assertEquals(new Progress(0.5, 'half', ['file' => $this->file]), $running->progress);

            try {
                $running->result();
                self::fail('It has a result.');
            } catch (LogicException $error) {
                self::assertStringContainsString("{$id} yet, it is running", $error->getMessage());
            }
            touch($this->file);
            self::assertSame('there', self::outcome($other, $id, 'done')->result());
            self::assertSame('unknown', $other->outcome('nobody')->state);

            $built = self::outcome($client, $id = $client->notify('Report.Build', new Args(3), headers: ['trace' => '1'], durable: true), 'done')->result();
            self::assertTrue(is_array($built));
            self::assertSame([3.0, $id, ['trace' => '1']], [$built['rows'], $built['id'], $built['headers']]);
        });
    }

    public function testItsErrorIsThatOfACall(): void
    {
        $this->runIn(function (): void {
            $client = new Client(CeleryServers::get()->address);
            $errors = [];

            foreach ([
                fn (): mixed => $client->call('Report.Fail', 'key'),
                fn (): mixed => self::outcome($client, $client->notify('Report.Fail', 'key', durable: true), 'failed')->result(),
            ] as $fails) {
                try {
                    $fails();
                } catch (RemoteError $error) {
                    $errors[] = [$error->getMessage(), $error->type, $error->traceback];
                }
            }
            self::assertCount(2, $errors);
            self::assertStringContainsString('raised LookupError: no key (durable.py', $errors[0][0]);
            self::assertSame($errors[0][1], $errors[1][1]);
            self::assertSame($errors[0][2], $errors[1][2]);
        });
    }

    public function testOtherMethodsKeepNoDurableCalls(): void
    {
        $this->runIn(function (): void {
            $this->expectException(InvalidArguments::class);
            $this->expectExceptionMessage('executor="celery"');
            (new Client(CeleryServers::get()->address))->notify('Report.Here', durable: true);
        });
    }

    private static function outcome(Client $client, string $id, string $state): Outcome
    {
        $until = hrtime(true) + 30e9;
        while (($outcome = $client->outcome($id))->state !== $state) {
            self::assertLessThan($until, hrtime(true), "It is {$outcome->state}, not {$state}.");
            usleep(10_000);
        }

        return $outcome;
    }
}
