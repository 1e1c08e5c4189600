<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use PHPUnit\Framework\Attributes\CoversClass;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\MessagePackDecoder;
use Reasno\GoTask\Codec\MessagePackEncoder;
use Reasno\GoTask\Codec\Values;

#[CoversClass(MessagePackCodec::class)]
#[CoversClass(MessagePackDecoder::class)]
#[CoversClass(MessagePackEncoder::class)]
#[CoversClass(Values::class)]
final class MessagePackCodecTest extends MessagePackCodecTestCase
{
    protected function createCodec(): MessagePackCodec
    {
        return new MessagePackCodec(false);
    }
}
