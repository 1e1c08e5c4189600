<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Annotation;

use Attribute;
use Hyperf\Di\Annotation\AbstractAnnotation;
use Reasno\GoTask\Hyperf\Config\Workers;

/**
 * Injects the client of a named worker, as #[Inject] does the default one.
 *
 *     #[Worker('ml')]
 *     protected GoTask $ml;
 */
#[Attribute(Attribute::TARGET_PROPERTY)]
class Worker extends AbstractAnnotation
{
    /**
     * @param string $name a key of config/autoload/gotask.php
     */
    public function __construct(public string $name = Workers::DEFAULT)
    {
    }
}
