<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Examples;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\TestCase;

use function getenv;
use function implode;
use function sprintf;
use function sys_get_temp_dir;
use function tempnam;
use function unlink;

/**
 * Against the server that MONGODB_URI names, if it names one; else against the few lines of pymongo in Fixtures/mongodb.
 *
 * @internal
 */
#[CoversNothing]
final class MongoDbTest extends TestCase
{
    public function testDocumentsAreReadAndStreamed(): void
    {
        $file = (string) tempnam(sys_get_temp_dir(), 'gotask');
        $environment = (string) getenv('MONGODB_URI') !== ''
            ? ''
            : sprintf('FAKE_MONGODB=%s PYTHONPATH=%s ', escapeshellarg($file), escapeshellarg(__DIR__ . '/Fixtures/mongodb'));
        $program = escapeshellarg(__DIR__ . '/../../../examples/mongodb/mongodb.php');
        exec($environment . escapeshellarg(PHP_BINARY) . " {$program} 2>&1", $lines);
        unlink($file);

        self::assertSame("1: 1 × 10\n2: 4 × 2.5\nworth 20\nfound\nnull", implode("\n", $lines));
    }
}
