<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Annotation;

use Attribute;
use Reasno\GoTask\Hyperf\Config\Workers;

/**
 * On a console command: it has a worker of its own, started by its first call and ended with it, whatever the configuration says.
 */
#[Attribute(Attribute::TARGET_CLASS | Attribute::IS_REPEATABLE)]
class PrivateWorker
{
    /**
     * @param string $name a key of config/autoload/gotask.php
     */
    public function __construct(public readonly string $name = Workers::DEFAULT)
    {
    }
}
