<?php

declare(strict_types=1);

/*
 * Decodes a list under the memory_limit that PHP was started with, and says what became of it:
 * within-memory.php CODEC UNIT COUNT, a list of so many of them: JSON in an error, or MessagePack in hexadecimal.
 */

use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Protocol\ErrorReply;

require __DIR__ . '/../../../../vendor/autoload.php';

[, $codec, $unit, $count] = $argv;
$count = (int) $count;
$json = static fn (): string => '[' . rtrim(str_repeat("{$unit},", $count), ',') . ']';
$packed = static fn (): string => "\xdd" . pack('N', $count) . str_repeat((string) hex2bin($unit), $count);

try {
    $value = match ($codec) {
        'error' => ErrorReply::toException('App.f', '{"code":"remote_error","message":"x","data":' . $json() . '}')->data,
        default => (new MessagePackCodec($codec === 'extension'))->decode($packed()),
    };
    echo is_array($value) ? count($value) : get_debug_type($value);
} catch (DecodeFailed $failed) {
    echo $failed->getMessage();
}
