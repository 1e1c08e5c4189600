<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console;

use InvalidArgumentException;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Console\Options;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Input\InputDefinition;
use Symfony\Component\Console\Input\InputOption;

#[CoversClass(Options::class)]
final class OptionsTest extends TestCase
{
    #[TestWith(['99999999999999999999'])]
    #[TestWith(['9223372036854775808'])]
    #[TestWith(['-1'])]
    #[TestWith(['1.5'])]
    #[TestWith([''])]
    public function testAnIntegerThatIsNoneIsAnError(string $text): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage("--options-test takes a whole number, not '{$text}'");
        self::options($text)->integer('options-test');
    }

    public function testANumberIsThatNumber(): void
    {
        self::assertSame([0, 123_456_789_012_345_678, null], [self::options('0')->integer('options-test'), self::options('00123456789012345678')->integer('options-test'), self::options(null)->integer('options-test')]);
        self::assertSame([0.5, null], [self::options('0.5')->seconds('options-test'), self::options(null)->seconds('options-test')]);
    }

    public function testAnEmptyVariableIsNotSetAndZeroIsAnError(): void
    {
        putenv('GOTASK_OPTIONS_TEST=');
        self::assertNull(self::options(null)->seconds('options-test'));
        putenv('GOTASK_OPTIONS_TEST=2.5');
        self::assertSame(2.5, self::options(null)->seconds('options-test'));
        putenv('GOTASK_OPTIONS_TEST=0');
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage("GOTASK_OPTIONS_TEST takes a number of seconds above 0, not '0'");
        self::options(null)->seconds('options-test');
    }

    #[TestWith(['1e400'])]
    #[TestWith(['0'])]
    #[TestWith([''])]
    #[TestWith(['soon'])]
    public function testSecondsThatAreNoneAreAnError(string $text): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage("--options-test takes a number of seconds above 0, not '{$text}'");
        self::options($text)->seconds('options-test');
    }

    private static function options(?string $text): Options
    {
        $definition = new InputDefinition([new InputOption('options-test', null, InputOption::VALUE_REQUIRED)]);

        return new Options(new ArrayInput($text === null ? [] : ['--options-test' => $text], $definition));
    }
}
