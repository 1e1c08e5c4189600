<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Goridge;

use PHPUnit\Framework\Attributes\CoversClass;
use Reasno\GoTask\Goridge\MessagePackCodec;
use Reasno\GoTask\Goridge\MessagePackDecoder;
use Reasno\GoTask\Goridge\MessagePackEncoder;
use Reasno\GoTask\Goridge\Values;

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
