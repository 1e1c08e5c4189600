<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\EncodeFailed;

/**
 * Turns the payload of a call into its body, and the body of a reply into its result.
 */
interface Codec
{
    /**
     * The flag that names this codec on the wire, one of Flag::MSGPACK, Flag::JSON, Flag::RAW.
     */
    public function flag(): int;

    /**
     * @throws EncodeFailed when the value, or one within it, can't be encoded; it says which
     */
    public function encode(mixed $value): string;

    /**
     * Never instantiates a class that the body names.
     *
     * @throws DecodeFailed when the body is malformed or holds what PHP can't
     */
    public function decode(string $body): mixed;
}
