<?php

declare(strict_types=1);

use App\Bench\BenchController;
use Hyperf\HttpServer\Router\Router;

foreach (['bare', 'task', 'gotask', 'inline', 'go'] as $route) {
    Router::get("/{$route}", [BenchController::class, $route]);
}
