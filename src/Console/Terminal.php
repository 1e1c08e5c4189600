<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Symfony\Component\Console\Formatter\OutputFormatter;

use function ord;
use function sprintf;
use function strlen;

/**
 * Makes text of others fit for a terminal: control characters, which a terminal obeys, are shown and not sent, and what looks like
 * a tag of Symfony's stays text.
 *
 * @internal
 */
final class Terminal
{
    /** As one line. */
    public static function line(string $text): string
    {
        return OutputFormatter::escape(self::plain($text));
    }

    /** As one line that Symfony has not read yet: its width can be measured, and it can be cut. */
    public static function plain(string $text): string
    {
        return self::shown(strtr($text, ["\n" => '\n', "\t" => ' ']));
    }

    /** As lines. */
    public static function text(string $text): string
    {
        return OutputFormatter::escape(self::shown(str_replace("\r\n", "\n", $text)));
    }

    /** Like text(), with each line but the first indented: so none can pass for the beginning of something else. */
    public static function paragraph(string $text): string
    {
        return str_replace("\n", "\n    ", self::text($text));
    }

    private static function shown(string $text): string
    {
        // Control characters of ASCII, and Json::UNSEEN; in text that is not UTF-8 everything that is not ASCII.
        $pattern = Json::isText($text) ? '/[\x00-\x08\x0b-\x1f]|' . Json::UNSEEN . '/' : '/[^\x09\x0a\x20-\x7e]/';

        return (string) preg_replace_callback(
            $pattern,
            static fn (array $match): string => strlen($match[0]) < 3 ? sprintf('\x%02x', ord($match[0][strlen($match[0]) - 1])) : trim((string) json_encode($match[0]), '"'),
            $text,
        );
    }
}
