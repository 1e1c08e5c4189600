<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Attribute;

/**
 * Marks a method of a service that Python may call back. Where no method of a class has it, Python may call all that are public.
 */
#[Attribute(Attribute::TARGET_METHOD)]
final class Exposed
{
}
