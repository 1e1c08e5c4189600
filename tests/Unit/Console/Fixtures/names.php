<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

/**
 * A name server that knows the name three.test, too.
 *
 * @return false|list<string>
 */
function gethostbynamel(string $name): array|false
{
    return $name === 'three.test' ? ['127.0.0.2', '127.0.0.3', '127.0.0.4'] : \gethostbynamel($name);
}
