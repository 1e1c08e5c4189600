<?php

declare(strict_types=1);

// codec.php CALLS: so many calls as PHP encodes them, and their replies as it decodes them, without any I/O.

use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;

require __DIR__ . '/../../vendor/autoload.php';

$codec = new MessagePackCodec();
$decoder = new FrameDecoder();
$payload = ['name' => 'Reasno', 'values' => [1, 2.5, true, null], 'text' => str_repeat('x', 40)];
for ($sequence = 1; $sequence <= (int) $argv[1]; $sequence++) {
    // What was sent is what is received: a reply is built like its call.
    $decoder->feed(Frame::call($sequence, 'App.Hi', Flag::MSGPACK, $codec->encode($payload), 30_000));
    $frame = $decoder->next();
    assert($frame instanceof Frame);
    $codec->decode(substr($frame->payload, 6));
}
