<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Exception\InvalidConfiguration;

use function ini_get;
use function is_array;
use function ord;

/**
 * MessagePack: all that docs/protocol.md lists under Values.
 *
 * ext-msgpack makes it several times faster where it is loaded; results and errors are the same without it.
 *
 * @internal
 */
final class MessagePackCodec
{
    private readonly MessagePackEncoder $encoder;

    private readonly ?MessagePackExtension $packer;

    private readonly ?MessagePackExtension $unpacker;

    /**
     * @param null|bool $extension whether to use ext-msgpack; null: where it is loaded and works as needed
     * @throws InvalidConfiguration when it is demanded and can't be used
     */
    public function __construct(?bool $extension = null)
    {
        if ($extension === true && ! MessagePackExtension::isUsable()) {
            throw new InvalidConfiguration('ext-msgpack is not loaded, or this version of it does not work as needed.');
        }
        $extension = ($extension ?? MessagePackExtension::isUsable()) ? new MessagePackExtension() : null;
        $this->packer = $extension;
        $this->encoder = new MessagePackEncoder($extension);
        // It is given only bodies that a regular expression has checked, which takes longer than decoding in PHP unless
        // PCRE compiles it.
        $this->unpacker = (bool) ini_get('pcre.jit') ? $extension : null;
    }

    /**
     * @throws EncodeFailed when the value, or one within it, can't be encoded; it says which
     */
    public function encode(mixed $value): string
    {
        // A shortcut for most payloads: the encoder would do the same.
        if ($this->packer !== null && is_array($value) && Values::arePlain($value)) {
            return $this->packer->pack($value);
        }

        return $this->encoder->encode($value);
    }

    /**
     * Never instantiates a class that the body names.
     *
     * @throws DecodeFailed when the body is malformed or holds what PHP can't
     */
    public function decode(string $body): mixed
    {
        if ($body === '') {
            return null;
        }
        if ($this->unpacker !== null) {
            $type = ord($body[0]);
            // An array or a map: anything else is quicker without it.
            if ($type >= 0x80 && $type < 0xA0 || $type >= 0xDC && $type < 0xE0) {
                $value = $this->unpacker->unpack($body);
                if ($value !== $this->unpacker->refused) {
                    return $value;
                }
            }
        }

        return (new MessagePackDecoder($body))->decode();
    }
}
