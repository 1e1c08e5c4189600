<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use Nette\PhpGenerator\Dumper;

use function ord;
use function sprintf;

/**
 * Text and values of others as code and as comments, which they can't leave.
 *
 * @internal
 */
final class Code
{
    public static function value(mixed $value): string
    {
        return (new Dumper())->dump($value);
    }

    /**
     * The key of PHPStan's array shape.
     */
    public static function key(string $text): string
    {
        return preg_match('/^[a-z_]\w*$/i', $text) === 1 ? $text : self::quoted($text);
    }

    /**
     * A text as PHPStan's constant string.
     */
    public static function quoted(string $text): string
    {
        if (preg_match('~^(?!.*\*/)[^\x00-\x1f\x7f\'"\\\]*$~Ds', $text) === 1) {
            return "'{$text}'";
        }

        return '"' . preg_replace_callback('/[^ -~]|["\\\*$]/', static fn (array $byte): string => sprintf('\x%02x', ord($byte[0])), $text) . '"';
    }

    /**
     * A docstring as the text of a docblock: nothing in it ends the comment or is a tag.
     */
    public static function doc(string $text): string
    {
        $lines = preg_split('/\R/u', (string) preg_replace('~[\x00-\x08\x0b-\x1f\x7f]~', '', strtr($text, ["\r\n" => "\n", '*/' => '* /']))) ?: [];
        $lines = array_map(static fn (string $line): string => (string) preg_replace('~^(\s*)@~', '$1\@', rtrim($line)), $lines);

        return trim((string) preg_replace('~\n{3,}~', "\n\n", implode("\n", $lines)), "\n");
    }
}
