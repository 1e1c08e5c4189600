<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\GetMapping;
use Hyperf\HttpServer\Contract\ResponseInterface;
use Psr\Http\Message\ResponseInterface as PsrResponseInterface;
use Reasno\GoTask\Hyperf\Health;

use function array_filter;

/**
 * For a load balancer or an orchestrator: 200 while every worker answers, else 503 with what is wrong.
 */
#[Controller]
class HealthController
{
    public function __construct(private readonly Health $health)
    {
    }

    #[GetMapping(path: '/health')]
    public function health(ResponseInterface $response): PsrResponseInterface
    {
        $workers = $this->health->all();

        return $response->json($workers)->withStatus(array_filter($workers) === [] ? 200 : 503);
    }
}
