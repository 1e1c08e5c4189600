<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Generate;

use Nette\PhpGenerator\Helpers;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\RequiresMethod;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Generate\Code;
use Reasno\GoTask\Generate\Names;

/**
 * @internal
 */
#[CoversClass(Names::class)]
#[CoversClass(Code::class)]
#[RequiresMethod(Helpers::class, 'isIdentifier')]
final class NamesTest extends TestCase
{
    #[DataProvider('names')]
    public function testCamelCase(string $python, string $php): void
    {
        self::assertSame($php, Names::camel($python));
    }

    /**
     * @return iterable<array{string, string}>
     */
    public static function names(): iterable
    {
        yield ['say_hello', 'sayHello'];
        yield ['sayHello', 'sayHello'];
        yield ['get__url', 'getUrl'];
        yield ['_hidden', '_hidden'];
        yield ['print_', 'print_'];
        yield ['step_2', 'step_2'];
        yield ['über_äpfel', 'über_äpfel'];
        yield ['größe_der_welt', 'größeDerWelt'];
    }

    public function testNoTwoVariablesAreAlikeAndEachIsOne(): void
    {
        $names = ['max_width', 'maxWidth', 'maxwidth', 'this', 'content-type', 'content_type', '2x', '', '*/'];
        $variables = Names::variables($names);

        self::assertSame($names, array_map(strval(...), array_keys($variables)));
        self::assertSame(array_values(array_unique(array_map(strtolower(...), $variables))), array_values(array_map(strtolower(...), $variables)));
        foreach ($variables as $variable) {
            self::assertTrue($variable !== 'this' && Helpers::isIdentifier($variable), $variable);
        }
    }

    public function testClassesOfOneNameHaveTheirQualifiedOnesAndNoneIsReserved(): void
    {
        self::assertSame(
            ['.args' => 'Args_', '.list' => 'List_', 'a.Box' => 'ABox', 'a.Circle' => 'Circle', 'b.c.box' => 'BCBox'],
            Names::classes(['.list' => ['list', 'list'], '.args' => ['args', 'args'], 'a.Box' => ['Box', 'a.Box'], 'b.c.box' => ['box', 'b.c.box'], 'a.Circle' => ['Circle', 'a.Circle']]),
        );
        self::assertSame(['a.b.C' => 'ABC', 'a.bC' => 'ABC_'], Names::classes(['a.b.C' => ['C', 'a.b.C'], 'a.bC' => ['C', 'a.bC']]));
    }

    public function testADocstringNeitherEndsItsCommentNorIsATag(): void
    {
        self::assertSame("Ends * / here\n\n\\@return never\n  \\@param a@b\nlast", Code::doc("Ends */ here\r\n\n\n\n@return never  \n  @param a@b\x00\nlast\n\n"));
    }

    #[DataProvider('texts')]
    public function testATextIsOneForPhpstan(string $text, string $quoted): void
    {
        self::assertSame($quoted, Code::quoted($text));
    }

    /**
     * @return iterable<array{string, string}>
     */
    public static function texts(): iterable
    {
        yield ['plain größe $x', "'plain größe \$x'"];
        yield ["it's", '"it\'s"'];
        yield ['*/', '"\x2a/"'];
        yield ["a\nb\"\\", '"a\x0ab\x22\x5c"'];
    }
}
