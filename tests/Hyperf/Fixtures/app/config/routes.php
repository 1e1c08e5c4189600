<?php

declare(strict_types=1);

use App\Controller\TaskController;
use Hyperf\HttpServer\Router\Router;

Router::get('/bare', [TaskController::class, 'bare']);
Router::get('/', [TaskController::class, 'index']);
Router::get('/hi', [TaskController::class, 'hi']);
Router::get('/back', [TaskController::class, 'back']);
Router::get('/workers', [TaskController::class, 'workers']);
Router::get('/reason', [TaskController::class, 'reason']);
Router::get('/fail', [TaskController::class, 'fail']);
