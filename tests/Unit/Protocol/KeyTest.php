<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Protocol;

use LogicException;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Process\KeyFile;
use Reasno\GoTask\Protocol\Key;
use ValueError;

use function chmod;
use function file_get_contents;
use function file_put_contents;
use function get_mangled_object_vars;
use function hex2bin;
use function json_decode;
use function json_encode;
use function ob_get_clean;
use function ob_start;
use function print_r;
use function putenv;
use function serialize;
use function str_repeat;
use function sys_get_temp_dir;
use function tempnam;
use function unlink;
use function var_dump;
use function var_export;

use const JSON_THROW_ON_ERROR;

/**
 * @internal
 */
#[CoversClass(Key::class)]
final class KeyTest extends TestCase
{
    private const KEY = '0123456789abcdef0123456789abcdef';

    private string $file = '';

    protected function setUp(): void
    {
        $this->file = (string) tempnam(sys_get_temp_dir(), 'gotask');
        file_put_contents($this->file, self::KEY . "\n");
    }

    protected function tearDown(): void
    {
        unlink($this->file);
    }

    public function testAKeyThatWasReadFromAFileFitsWithItsLineBreak(): void
    {
        $nonce = str_repeat('0', Key::NONCE);
        $key = new Key((string) file_get_contents($this->file));
        self::assertSame((new Key(self::KEY))->proof(Key::CALLER, $nonce, $nonce), $key->proof(Key::CALLER, $nonce, $nonce));
    }

    #[DataProvider('vectors')]
    public function testProofsAreThoseThatThePythonSideMakes(string $key, string $caller, string $broker, string $callerProof, string $brokerProof): void
    {
        $key = new Key($key);

        self::assertSame($callerProof, $key->proof(Key::CALLER, $caller, $broker));
        self::assertSame($brokerProof, $key->proof(Key::BROKER, $caller, $broker));
    }

    /**
     * @return iterable<string, array{string, string, string, string, string}>
     */
    public static function vectors(): iterable
    {
        /** @var list<array{name: string, key_hex: string, caller_nonce: string, broker_nonce: string, caller_proof: string, broker_proof: string}> $vectors */
        $vectors = json_decode((string) file_get_contents(__DIR__ . '/../../vectors/handshake.json'), true, flags: JSON_THROW_ON_ERROR);
        foreach ($vectors as $vector) {
            yield $vector['name'] => [
                (string) hex2bin($vector['key_hex']),
                (string) hex2bin($vector['caller_nonce']),
                (string) hex2bin($vector['broker_nonce']),
                $vector['caller_proof'],
                $vector['broker_proof'],
            ];
        }
    }

    #[DataProvider('noKeys')]
    public function testAKeyThatCanBeGuessedIsRefusedAndNotShown(string $key): void
    {
        $this->expectException(ValueError::class);
        $this->expectExceptionMessageMatches('/^The key has \d+ bytes, and a key has 16 to 4096: make one with openssl rand -hex 32\.$/D');

        new Key($key);
    }

    /**
     * @return iterable<array{string}>
     */
    public static function noKeys(): iterable
    {
        yield [''];
        yield ['fifteen bytes 3'];
        yield [str_repeat('x', 4097)];
    }

    public function testAKeyDoesNotShowItself(): void
    {
        $key = new Key(self::KEY);
        $shown = print_r($key, true) . var_export($key, true) . json_encode((array) $key) . json_encode(get_mangled_object_vars($key));
        ob_start();
        var_dump($key);
        self::assertStringNotContainsString(self::KEY, $shown . ob_get_clean());

        $this->expectException(LogicException::class);
        serialize($key);
    }

    public function testAFileIsReadWithoutItsLineBreakAndMustNotBeEverybodys(): void
    {
        chmod($this->file, 0o440);
        self::assertSame(self::KEY, KeyFile::read($this->file));

        chmod($this->file, 0o604);
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage('chmod o=');
        KeyFile::read($this->file);
    }

    public function testAFileThatIsNotThereIsNamed(): void
    {
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage('/nowhere can\'t be read');
        KeyFile::read('/nowhere');
    }

    public function testTheEnvironmentNamesTheKeyOrItsFile(): void
    {
        self::assertNull(KeyFile::fromEnvironment());
        putenv("GOTASK_KEY_FILE={$this->file}");
        self::assertSame(self::KEY, KeyFile::fromEnvironment());
        putenv('GOTASK_KEY=another one');

        $this->expectException(ValueError::class);
        KeyFile::fromEnvironment();
    }
}
