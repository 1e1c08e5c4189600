<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console;

use InvalidArgumentException;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\NdArray;
use Reasno\GoTask\Time;

#[CoversClass(Json::class)]
final class JsonTest extends TestCase
{
    #[TestWith(['12345678901234567890', '$payload is the integer 12345678901234567890, which PHP can\'t hold'])]
    #[TestWith(['{"ids": [1, -9223372036854775809]}', '$payload[\'ids\'][1] is the integer -9223372036854775809,'])]
    #[TestWith(['[[{"a": 1e400}]]', '$payload[0][0][\'a\'] is a number above 1.8e308'])]
    #[TestWith(['{"1": {"2": 18446744073709551616}}', '$payload[1][2] is the integer 18446744073709551616,'])]
    public function testANumberThatPhpCannotHoldIsAnErrorThatSaysWhere(string $text, string $message): void
    {
        $this->expectException(EncodeFailed::class);
        $this->expectExceptionMessage($message);
        Json::parse($text, 'the argument payload');
    }

    public function testWhatPhpCanHoldIsExact(): void
    {
        $text = '{"min":-9223372036854775808,"max":9223372036854775807,"text":"12345678901234567890","float":1.5e300,"none":{},"list":[]}';
        self::assertSame($text, strtr(Json::line((array) Json::parse($text, '')), ['1.5e+300' => '1.5e300']));
    }

    public function testAByteOrderMarkIsNoPartOfIt(): void
    {
        self::assertSame([1], Json::parse("\xef\xbb\xbf[1]", 'the argument payload'));
    }

    public function testKeysStayText(): void
    {
        $payload = Json::parse('{"1": [{"0": {}, "a": {"-7": []}}], "b": {"c": 1}}', '');
        foreach ([new MessagePackCodec(false), new MessagePackCodec()] as $codec) {
            self::assertSame('82a1319182a13080a16181a22d3790a16281a16301', bin2hex($codec->encode($payload)));
        }
    }

    #[TestWith(['{"a": 1', 'the argument payload is not JSON: Syntax error: {"a": 1'])]
    #[TestWith(['hello', 'the argument payload is not JSON: Syntax error: hello (text needs double quotes, within single ones for the shell)'])]
    #[TestWith(["\"\xff\"", 'the argument payload is not JSON: Malformed UTF-8 characters, possibly incorrectly encoded: (bytes)'])]
    public function testWhatIsNotJsonIsAnErrorThatNamesTheArgument(string $text, string $message): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage($message);
        Json::parse($text, 'the argument payload');
    }

    public function testAnyResultCanBeShown(): void
    {
        $result = ['nan' => NAN, 'bytes' => "\xff", 'deep' => [["\xfe" => INF, 5 => 'x']]];
        self::assertSame(
            '{"nan":{"float":"NAN"},"bytes":{"base64":"/w=="},"deep":[{"entries":[[{"base64":"/g=="},{"float":"INF"}],[5,"x"]]}]}',
            Json::line($result),
        );
        self::assertSame(
            ['nan' => 'NAN', 'bytes' => '(1 bytes)', 'deep' => [['0xfe' => 'INF', 5 => 'x']]],
            json_decode(Json::pretty($result), true),
        );
    }

    public function testAnArrayIsShownAsLists(): void
    {
        $result = ['a' => NdArray::fromList([[1.5], [NAN]], 'float64'), 'at' => new Time('@1')];
        self::assertSame('{"a":[[1.5],[{"float":"NAN"}]],"at":"1970-01-01T00:00:01.000000+00:00"}', Json::line($result));
        self::assertSame(['a' => [[1.5], ['NAN']], 'at' => '1970-01-01T00:00:01.000000+00:00'], json_decode(Json::pretty($result), true));
    }

    public function testFloatsKeepAllTheirDigitsWhateverPhpIniSays(): void
    {
        $precision = ini_set('serialize_precision', '5');
        try {
            self::assertSame('[0.30000000000000004]', Json::line([0.1 + 0.2]));
        } finally {
            ini_set('serialize_precision', (string) $precision);
        }
    }

    public function testNoControlCharacterIsLeft(): void
    {
        $text = "\x1b[31m\x7f\u{9b}2J\u{202e}\u{2028}\u{2066}";
        foreach ([Json::line([$text => $text]), Json::pretty([$text => $text])] as $json) {
            self::assertDoesNotMatchRegularExpression('/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2[\x80\x81][\xa6-\xae]/', $json);
            self::assertSame([$text => $text], json_decode($json, true));
        }
    }
}
