<?php

declare(strict_types=1);

/*
 * Says for each line of standard input, `LIMIT HEX HEX …`, what frames the decoder sees in those pieces, as a line of JSON.
 */

use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;

require __DIR__ . '/../../../vendor/autoload.php';

while (($line = fgets(STDIN)) !== false) {
    $pieces = explode(' ', rtrim($line, "\n"));
    $decoder = new FrameDecoder((int) array_shift($pieces));
    $frames = [];
    $error = false;

    try {
        foreach ($pieces as $piece) {
            $decoder->feed((string) hex2bin($piece));
            while (($frame = $decoder->next()) !== null) {
                $frames[] = $frame instanceof Frame
                    ? [$frame->flags, $frame->stream, $frame->options, strlen($frame->payload), crc32($frame->payload)]
                    : [$frame->flags, $frame->stream, $frame->options, $frame->length, -1];
            }
        }
    } catch (ProtocolError) {
        $error = true;
    }
    echo json_encode(['frames' => $frames, 'error' => $error, 'idle' => ! $error && $decoder->pending() === 0]), "\n";
}
